// Asks for a payment, and reads it: node ask.mjs 254712345678 150 INV-2025-001
import { createPartnerClient, GatewayError } from '@mpesa-gateway/client'

const { BASE_URL, API_KEY, CALLBACK_URL } = process.env
const [phone, amount, reference] = process.argv.slice(2)
const gateway = createPartnerClient({ baseUrl: BASE_URL, apiKey: API_KEY })

try {
  // The key names the payment, so it comes from the order: this program may be run again for it, and prompts nobody twice.
  const order = { phone, amount: Number(amount), reference, callback_url: CALLBACK_URL }
  const answer = await gateway.requestPayment(order, { idempotencyKey: `order-${reference}` })
  console.log(`${answer.status}: transaction ${answer.transaction_id}`)

  for await (const payment of gateway.allTransactions({ reference }))
    console.log(`transaction ${payment.transaction_id} is ${payment.status}`)
} catch (error) {
  // Without an answer (status null), or with one of 500 and more, nobody knows whether it was accepted: run this again.
  if (!(error instanceof GatewayError)) throw error
  console.error(`${error.status ?? 'no answer'}: ${error.message}`)
  process.exitCode = 1
}
