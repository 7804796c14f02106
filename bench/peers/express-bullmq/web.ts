import { createHash, randomBytes } from 'node:crypto'
import express from 'express'
import { z } from 'zod'
import { type Outcome, openPayments, type Partner, type SettledRow } from './payments.ts'
import { openQueues } from './queues.ts'
import { readSettings } from './settings.ts'

// The web process of the yardstick: an Express application. A request for a payment is one INSERT and one job, Daraja's callback
// one UPDATE and one job; both are answered when the row and the job are durable.

const POOL_SIZE = 16

const settings = readSettings()
const payments = openPayments(settings.databaseUrl, POOL_SIZE)
const queues = openQueues(settings.redisUrl)
const partners = new Map<string, Partner>()

const findPartner = async (apiKey: string | undefined): Promise<Partner | undefined> => {
  if (apiKey === undefined) return undefined
  const known = partners.get(apiKey)
  if (known !== undefined) return known
  const found = await payments.findPartner(createHash('sha256').update(apiKey).digest())
  if (found !== undefined) partners.set(apiKey, found)
  return found
}

const requestSchema = z.object({
  phone: z.string().regex(/^254[17]\d{8}$/),
  amount: z.number().int().min(1).max(250_000),
  reference: z.string().max(64).optional(),
  callback_url: z.url({ protocol: /^https?$/ }),
})

const callbackSchema = z.object({
  Body: z.object({
    stkCallback: z.object({
      ResultCode: z.union([z.number(), z.string()]),
      ResultDesc: z.string(),
      CallbackMetadata: z
        .object({
          Item: z.array(z.object({ Name: z.string(), Value: z.union([z.string(), z.number()]).optional() })),
        })
        .optional(),
    }),
  }),
})

const application = express()
application.disable('x-powered-by')
application.set('etag', false)
application.use(express.json({ limit: '64kb' }))

application.post('/api/v1/mpesa/stk_push', async (request, response) => {
  const partner = await findPartner(request.get('x-api-key'))
  if (partner === undefined) {
    response.status(401).json({ status: 'error', message: 'Invalid API key' })
    return
  }
  const parsed = requestSchema.safeParse(request.body)
  if (!parsed.success) {
    response.status(400).json({ status: 'error', message: z.prettifyError(parsed.error) })
    return
  }
  const { phone, amount, reference, callback_url: callbackUrl } = parsed.data
  const idempotencyKey = request.get('x-idempotency-key') ?? null
  const token = randomBytes(16).toString('hex')
  const inserted = await payments.insert({
    partnerId: partner.id,
    idempotencyKey,
    phone,
    amount,
    reference: reference ?? null,
    callbackUrl,
    token,
  })
  if (inserted === undefined) {
    const first = await payments.findByKey(partner.id, idempotencyKey ?? '')
    response.json({ status: 'duplicate', transaction_id: Number(first?.id) })
    return
  }
  await queues.addPush({ id: inserted.id, phone, amount, reference: reference ?? inserted.id, token })
  response.json({
    status: 'success',
    transaction_id: Number(inserted.id),
    message: 'STK Push accepted for processing',
  })
})

application.post('/callbacks/:id/:token', async (request, response) => {
  const parsed = callbackSchema.safeParse(request.body)
  if (parsed.success) {
    const { stkCallback } = parsed.data.Body
    const items = stkCallback.CallbackMetadata?.Item ?? []
    const receipt = items.find(({ Name }) => Name === 'MpesaReceiptNumber')?.Value
    await settle({
      id: request.params.id,
      token: request.params.token,
      state: Number(stkCallback.ResultCode) === 0 ? 'successful' : 'failed',
      resultCode: String(stkCallback.ResultCode),
      resultDesc: stkCallback.ResultDesc,
      receipt: receipt === undefined ? null : String(receipt),
    })
  }
  response.json({ ResultCode: 0, ResultDesc: 'Accepted' })
})

const settle = async (outcome: Outcome): Promise<void> => {
  const row = await payments.settle(outcome)
  if (row === undefined) return
  await queues.addDelivery({
    id: row.id,
    partnerId: row.partner_id,
    webhookId: `msg_${row.id}_${row.state}`,
    url: row.callback_url,
    body: renderBody(row),
  })
}

const renderBody = (row: SettledRow): string =>
  JSON.stringify({
    transaction_id: Number(row.id),
    merchant_request_id: row.merchant_request_id,
    checkout_request_id: row.checkout_request_id,
    result_code: row.result_code,
    result_desc: row.result_desc,
    amount: row.amount,
    mpesa_receipt: row.receipt,
    transaction_date: row.updated_at.toISOString(),
    phone: row.phone,
    status: row.state,
  })

const server = application.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}` })}\n`)
})
server.keepAliveTimeout = 72_000
