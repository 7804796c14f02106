import type { Simulator } from '../../src/simulator/server.ts'
import { type Received, type Receiver, startReceiver } from './receiver.ts'
import { startTestSimulator } from './simulator.ts'

/** A prompt as Daraja's stand-in has it in its ledger. */
export type Prompted = {
  callback_url: string
  account_reference: string
  checkout_request_id: string
  merchant_request_id: string
  outcome: string
  warnings: string[]
  transactions: { receipt: string }[]
  callbacks: { result_code: number; status: number | null; body: string }[]
}

/**
 * What is not ours: Daraja and a partner's endpoint. They live in the test's own process and are never killed, for they keep
 * the ledgers that the system is judged by; what fails of them is the way there.
 */
export type OutsideWorld = {
  simulator: Simulator
  receiver: Receiver
  /** Every prompt that a payer has seen. */
  prompts(): Promise<Prompted[]>
  close(): Promise<void>
}

/** Starts both; payers think for 100 ms unless another time is given. */
export const startOutsideWorld = async (
  options: { callbackDelayMs?: number; random?: () => number } = {},
): Promise<OutsideWorld> => {
  const simulator = await startTestSimulator({ callbackDelayMs: 100, ...options })
  const receiver = await startReceiver()
  return {
    simulator,
    receiver,
    prompts: async () => {
      const answer = await fetch(`${simulator.url}/_ledger`)
      const { entries } = (await answer.json()) as { entries: Prompted[] }
      return entries
    },
    close: async () => {
      await simulator.close()
      await receiver.close()
    },
  }
}

/** The payment whose token a callback URL carries. */
export const paymentOf = (callbackUrl: string): number =>
  Number.parseInt((callbackUrl.split('/').at(-1) ?? '').slice(0, 16), 16)

/** How often each payment was prompted. */
export const countPrompts = async (world: OutsideWorld): Promise<Map<number, number>> => {
  const counts = new Map<number, number>()
  for (const { callback_url: url } of await world.prompts()) {
    const id = paymentOf(url)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

/** What a partner's endpoint has received of a payment, oldest first. */
export const deliveriesOf = (receiver: Receiver, paymentId: number): Received[] =>
  receiver.received.filter(({ body }) => JSON.parse(body).transaction_id === paymentId)

/** How often a partner's endpoint has received each payment's outcome: read once, however many payments are asked about. */
export const countDeliveries = (receiver: Receiver): Map<number, number> => {
  const counts = new Map<number, number>()
  for (const { body } of receiver.received) {
    const { transaction_id: id } = JSON.parse(body) as { transaction_id: number }
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}
