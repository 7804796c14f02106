import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { asOne } from '../runtime/as-one.ts'
import type { Behaviour, Outcome, Result } from './outcomes.ts'

/** One POST to a payment's callback URL. `status` and `error` are null until it is answered or has failed. */
export type PostedCallback = {
  posted_at: Date
  result_code: Result['code']
  status: number | null
  error: string | null
  answered_at: Date | null
  body: string
}

/** Money that moved. */
export type Transaction = { receipt: string; amount: number; at: Date }

/** One prompt on a payer's phone as `GET /_ledger` shows it: the accepted push and what was posted about it. */
export type Entry = {
  checkout_request_id: string
  merchant_request_id: string
  shortcode: string
  phone: string
  amount: number
  account_reference: string
  callback_url: string
  /** The names of the outcomes that say how it goes, joined by `+`. */
  outcome: string
  /** Where the push leaves the documentation in ways that Daraja lets pass. */
  warnings: string[]
  at: Date
  /** How often the query asked for it. */
  queries: number
  transactions: Transaction[]
  callbacks: PostedCallback[]
}

/** A prompt as the simulator plays it. */
export type Prompt = {
  entry: Entry
  behaviour: Behaviour
  /** What phone number and amount chose. */
  chosen: readonly Outcome[]
  /** Its name in the draws of the run. */
  subject: string
  /** What the query answers with now; null while the payment is open. */
  result: Result | null
}

const NOTHING = {
  pushes: 0,
  refused: 0,
  prompts: 0,
  forgotten: 0,
  queries: 0,
  callbacks_posted: 0,
  callbacks_failed: 0,
}

/** What the simulator did, kept so that tests can compare it with the records of the gateway. */
export type Ledger = {
  /** Counts since the start, or since the ledger was last cleared. */
  totals: typeof NOTHING
  /** How often each outcome happened that is not plain, by name. */
  misbehaviours: Map<string, number>
  add(prompt: Prompt): void
  find(checkoutRequestId: string): Prompt | undefined
  /** The prompts that the ledger still holds, oldest first. */
  prompts(): Prompt[]
  clear(): void
}

/** Creates a ledger that holds the newest `maxPrompts` prompts; its totals count every one. */
export const createLedger = (options: { maxPrompts: number }): Ledger => {
  const held = new LRUCache<string, Prompt>({ maxSize: options.maxPrompts, sizeCalculation: asOne })
  const ledger: Ledger = {
    totals: { ...NOTHING },
    misbehaviours: new Map(),
    add: (prompt) => {
      ledger.totals.prompts += 1
      if (held.size === options.maxPrompts) ledger.totals.forgotten += 1
      held.set(prompt.entry.checkout_request_id, prompt)
    },
    // A look does not make a prompt newer.
    find: (checkoutRequestId) => held.peek(checkoutRequestId),
    prompts: () => [...held.rvalues()].filter((prompt) => prompt !== undefined),
    clear: () => {
      Object.assign(ledger.totals, NOTHING)
      ledger.misbehaviours.clear()
      held.clear()
    },
  }
  return ledger
}

/**
 * `GET /_ledger`: totals of everything, and the prompts, all or those whose `callback_url` or `phone` is exactly the
 * one asked for. A payment's callback URL is its own, so `prompts_by_callback_url` counts the prompts of each payment.
 * `DELETE /_ledger`: forgets all; what is already under way still comes to its end.
 */
export const registerLedgerRoutes = (server: FastifyInstance, options: { ledger: Ledger }): void => {
  const { ledger } = options

  server.get<{ Querystring: { callback_url?: string; phone?: string } }>('/_ledger', (request, reply) => {
    const { callback_url: callbackUrl, phone } = request.query
    const entries = ledger
      .prompts()
      .map(({ entry }) => entry)
      .filter((entry) => callbackUrl === undefined || entry.callback_url === callbackUrl)
      .filter((entry) => phone === undefined || entry.phone === phone)
    const promptsByCallbackUrl: Record<string, number> = {}
    for (const { callback_url: url } of entries) {
      promptsByCallbackUrl[url] = (promptsByCallbackUrl[url] ?? 0) + 1
    }
    const view = {
      ...ledger.totals,
      misbehaviours: Object.fromEntries(ledger.misbehaviours),
      prompts_by_callback_url: promptsByCallbackUrl,
      entries,
    }
    return reply.send(view)
  })

  server.delete('/_ledger', (_request, reply) => {
    ledger.clear()
    return reply.code(204).send()
  })
}
