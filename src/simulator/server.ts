import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createCallbackSender, createPlay } from './callback.ts'
import { createServer } from './calls.ts'
import {
  createChoose,
  createPlan,
  planView,
  type RunPlan,
  registerPlanRoutes,
  unknownNames,
} from './choose.ts'
import { createIds } from './ids.ts'
import { createLedger, registerLedgerRoutes } from './ledger.ts'
import { createTokens, registerOAuth } from './oauth.ts'
import { outcomesAsText } from './outcome-tables.ts'
import { registerPull } from './pull.ts'
import { registerQuery } from './query.ts'
import { registerStkPush } from './stk-push.ts'
import type { Wait } from './wrong-reply.ts'

/** The newest prompts that the ledger and the query know: about 100 MB of heap when all are held. */
const MAX_PROMPTS = 50_000
/** An hour. The slowest outcome waits for many times this, and a Node timer can wait for 24 days. */
const MAX_CALLBACK_DELAY_MS = 3_600_000

export type Simulator = {
  /** Where it listens, without a slash at the end: what `DARAJA_BASE_URL` is set to. */
  readonly url: string
  /** Ends pending callbacks and open sockets; resolves when nothing is left running. */
  close(): Promise<void>
}

const NO_PLAN: RunPlan = { seed: 0, misbehaviours: new Map() }

/**
 * Starts a stand-in for Safaricom's Daraja: OAuth, STK push, callback, query and Pull Transactions in the forms of
 * 2026, with an outcome that the phone number or the amount chooses, and a ledger of every prompt. It keeps everything
 * in memory.
 *
 * `port` 0 takes a free one. `callbackDelayMs` is the time from a prompt to its callback, up to an hour, and the unit
 * of all other waits; anything else throws a RangeError. `random` gives numbers from 0 up to 1; it makes ids. `plan`
 * says what the run gets wrong beside what is chosen, without it nothing; a name in it that is no outcome's throws a
 * RangeError.
 */
export const startSimulator = async (options: {
  host: string
  port: number
  callbackDelayMs: number
  log: Log
  clock: Clock
  random: () => number
  plan?: RunPlan
}): Promise<Simulator> => {
  const { host, port, callbackDelayMs, log, clock, random } = options
  if (!(callbackDelayMs >= 0 && callbackDelayMs <= MAX_CALLBACK_DELAY_MS)) {
    throw new RangeError(`callbackDelayMs must be from 0 to ${MAX_CALLBACK_DELAY_MS}, not ${callbackDelayMs}`)
  }
  const unknown = unknownNames(options.plan?.misbehaviours.keys() ?? [])
  if (unknown.length > 0) throw new RangeError(`there is no outcome called ${unknown.join(', ')}`)
  const plan = createPlan(options.plan ?? NO_PLAN)
  const ids = createIds({ clock, random })
  const tokens = createTokens({ clock, ids })
  const ledger = createLedger({ maxPrompts: MAX_PROMPTS })
  const timers = new Set<NodeJS.Timeout>()
  const wait: Wait = (delays) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        resolve()
      }, delays * callbackDelayMs)
      timers.add(timer)
    })
  const callbacks = createCallbackSender({ ledger, clock, log })
  const play = createPlay({ ids, clock, wait, callbacks })
  const choose = createChoose({ plan, ledger })

  const { server, route } = createServer({ ids, log, wait })
  registerOAuth(route, { tokens, choose })
  registerStkPush(route, { tokens, choose, ledger, ids, clock, play, log })
  registerQuery(route, { tokens, choose, ledger })
  registerPull(route, { tokens, choose, ledger, clock })
  registerLedgerRoutes(server, { ledger })
  registerPlanRoutes(server, { plan, log })
  server.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(FRONT_PAGE))
  server.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }))
  const url = await server.listen({ host, port })
  const { seed, misbehaviours } = planView(plan.current)
  log.info({ url, callbackDelayMs, seed, misbehaviours }, 'simulator listens')

  const close = async (): Promise<void> => {
    // The server first: a push that came in later would leave a timer behind.
    await server.close()
    for (const timer of timers) clearTimeout(timer)
    await callbacks.close()
  }
  return { url, close }
}

const FRONT_PAGE = [
  "A simulator of Safaricom's Daraja: OAuth, STK push, callback, query, Pull Transactions.",
  'No money moves, no phone rings.',
  '',
  ...outcomesAsText(),
  '',
  'GET /_ledger lists every prompt and callback, DELETE /_ledger forgets them.',
  'GET /_plan shows what is drawn for the run; PUT /_plan changes it, DELETE /_plan ends it.',
  '',
].join('\n')
