import { type FastifyInstance, fastify } from 'fastify'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createCallbackSender } from './callback.ts'
import { createChoose } from './choose.ts'
import {
  type DarajaError,
  errorBody,
  INTERNAL_SERVER_ERROR,
  INVALID_PAYLOAD,
  METHOD_NOT_ALLOWED,
  RESOURCE_NOT_FOUND,
} from './daraja-errors.ts'
import { createIds, type Ids } from './ids.ts'
import { createLedger } from './ledger.ts'
import { registerLedgerRoutes } from './ledger-routes.ts'
import { OAUTH_PATH, registerOAuth } from './oauth.ts'
import { outcomesAsText } from './outcomes-table.ts'
import { createPlan, type RunPlan, unknownNames } from './plan.ts'
import { planView, registerPlanRoutes } from './plan-routes.ts'
import { PULL_QUERY_PATH, PULL_REGISTER_PATH, registerPull } from './pull.ts'
import { QUERY_PATH, registerQuery } from './query.ts'
import { registerStkPush, STK_PUSH_PATH } from './stk-push.ts'
import { createTimers, type Wait } from './timers.ts'
import { createTokens } from './tokens.ts'

/** The newest prompts that the ledger and the query know: about 100 MB of heap when all are held. */
const MAX_PROMPTS = 50_000
const MAX_BODY_BYTES = 64 * 1024
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
 * Starts a stand-in for Safaricom's Daraja: OAuth, STK push, callback, query and Pull Transactions in the forms of 2026, with
 * an outcome that the phone number or the amount chooses, and a ledger of every prompt. It keeps everything in memory.
 *
 * `port` 0 takes a free one. `callbackDelayMs` is the time from a prompt to its callback, up to an hour, and the unit of all
 * other waits; anything else throws a RangeError. `random` gives numbers from 0 up to 1; it makes ids. `plan` says what the
 * run gets wrong beside what is chosen, without it nothing; a name in it that is no outcome's throws a RangeError.
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
  const { callbackDelayMs, log, clock, random } = options
  if (!(callbackDelayMs >= 0 && callbackDelayMs <= MAX_CALLBACK_DELAY_MS)) {
    throw new RangeError(`callbackDelayMs must be from 0 to ${MAX_CALLBACK_DELAY_MS}, not ${callbackDelayMs}`)
  }
  const unknown = unknownNames(options.plan?.misbehaviours.keys() ?? [])
  if (unknown.length > 0) throw new RangeError(`there is no outcome called ${unknown.join(', ')}`)
  const plan = createPlan(options.plan ?? NO_PLAN)
  const ids = createIds({ clock, random })
  const tokens = createTokens({ clock, ids })
  const ledger = createLedger({ maxPrompts: MAX_PROMPTS })
  const timers = createTimers()
  const wait: Wait = (delays) => new Promise((resolve) => timers.after(delays * callbackDelayMs, resolve))
  const callbacks = createCallbackSender({ ledger, clock, log })
  const stage = { callbackDelayMs, timers, wait, callbacks, ids, clock }
  const choose = createChoose({ plan, ledger })

  const server = createServer({ ids, log })
  registerOAuth(server, { tokens, choose, ids, wait })
  registerStkPush(server, { stage, tokens, choose, ledger, log })
  registerQuery(server, { tokens, choose, ledger, ids, wait })
  registerPull(server, { tokens, choose, ledger, ids, clock, wait })
  registerLedgerRoutes(server, { ledger })
  registerPlanRoutes(server, { plan, log })
  registerOwnPages(server)
  const url = await server.listen({ host: options.host, port: options.port })
  log.info({ url, callbackDelayMs, ...planView(plan.current()) }, 'simulator listens')

  const close = async (): Promise<void> => {
    // The door first: a push that came in later would leave a timer behind.
    await server.close()
    timers.close()
    await callbacks.close()
  }
  return { url, close }
}

const DARAJA_PATHS = new Set([OAUTH_PATH, STK_PUSH_PATH, QUERY_PATH, PULL_REGISTER_PATH, PULL_QUERY_PATH])

/** A server without routes: how bodies are taken, and what is answered where no route does. */
const createServer = (options: { ids: Ids; log: Log }): FastifyInstance => {
  const { ids, log } = options
  const server = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true })
  // Clients differ in what they call their JSON; the routes read the bytes, whatever their type.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  const errorFor = (path: string): DarajaError =>
    DARAJA_PATHS.has(path) ? METHOD_NOT_ALLOWED : RESOURCE_NOT_FOUND
  server.setNotFoundHandler((request, reply) => {
    const error = errorFor(request.url.split('?', 1)[0] ?? '')
    return reply.code(error.status).send(errorBody(error, ids.requestId()))
  })
  server.setErrorHandler<Error & { statusCode?: number }>((thrown, _request, reply) => {
    const isTheirs = thrown.statusCode !== undefined && thrown.statusCode < 500
    if (!isTheirs) log.error({ err: thrown }, 'request failed')
    const error = isTheirs ? INVALID_PAYLOAD : INTERNAL_SERVER_ERROR
    return reply.code(error.status).send(errorBody(error, ids.requestId()))
  })
  return server
}

/** What a person or a supervisor asks, not a client of Daraja. */
const registerOwnPages = (server: FastifyInstance): void => {
  const page = [
    "A simulator of Safaricom's Daraja: OAuth, STK push, callback, query, Pull Transactions.",
    'No money moves, no phone rings.',
    '',
    ...outcomesAsText(),
    '',
    'GET /_ledger tells every prompt and callback, DELETE /_ledger forgets them.',
    'GET /_plan tells what is drawn for the run; PUT /_plan changes it, DELETE /_plan ends it.',
    '',
  ].join('\n')
  server.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(page))
  server.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }))
}
