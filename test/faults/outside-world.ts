import { systemClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { type Simulator, startSimulator } from '../../src/simulator/server.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'

/** A prompt as Daraja's stand-in tells of it. */
export type Prompted = {
  callback_url: string
  account_reference: string
  checkout_request_id: string
  outcome: string
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

export const startOutsideWorld = async (options: { random: () => number }): Promise<OutsideWorld> => {
  const simulator = await startSimulator({
    host: '127.0.0.1',
    port: 0,
    callbackDelayMs: 100,
    log: createLog({ name: 'simulator', level: 'silent' }),
    clock: systemClock,
    random: options.random,
  })
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
