import { Agent } from 'undici'
import { type Exchange, exchange } from './exchange.ts'
import { JsonObject, readJson } from './read-json.ts'

/** The paths of Daraja whose calls have connections of their own. */
export const PUSH_PATH = '/mpesa/stkpush/v1/processrequest'
export const TOKEN_PATH = '/oauth/v1/generate'

/** What came back from Daraja, or what became of the attempt to ask. */
export type Reply =
  /** An HTTP answer; `json` is undefined when the body is no JSON object. */
  | { kind: 'answered'; status: number; json: JsonObject | undefined; text: string }
  | Exclude<Exchange, { kind: 'answered' }>

/** Sends one request to Daraja. Never rejects: how it failed is part of the reply. */
export type SendToDaraja = (call: {
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: unknown
}) => Promise<Reply>

export type DarajaClient = { send: SendToDaraja; close(): Promise<void> }

/** Longer answers than Daraja ever gives are cut off as no answer. */
const MAX_ANSWER_BYTES = 64 * 1024

/** How long the name, the connection and TLS may take, ms. */
const CONNECT_MS = 5_000

/**
 * How long one of several addresses may take, ms: a lost SYN, which is sent again after a second, is no reason to give
 * it up.
 */
const ADDRESS_MS = 2_000

/** How long a request waits for a connection to be free or made, ms. */
const WAIT_MS = 10_000

/**
 * How long a call of `callDaraja` can take at the most, ms: it may ask for a token, and both may be repeated once; each
 * waits for a connection first.
 */
export const longestCallMs = (timeoutMs: number): number => 4 * (WAIT_MS + timeoutMs)

/**
 * Opens `connections` connections to Daraja at `baseUrl`. `timeoutMs` bounds a call from its first byte to the last of
 * the answer, `waitMs` the time before that. Connections are kept for four seconds of idleness only: a request that
 * meets a connection which Daraja is just closing has an unknown outcome.
 */
export const createDarajaClient = (options: {
  baseUrl: string
  timeoutMs: number
  connections: number
  waitMs?: number
}): DarajaClient => {
  const agent = new Agent({
    allowH2: false,
    pipelining: 1,
    connections: options.connections,
    connect: { timeout: CONNECT_MS, autoSelectFamilyAttemptTimeout: ADDRESS_MS },
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 4_000,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  const { origin, pathname } = new URL(options.baseUrl)
  const basePath = pathname.replace(/\/$/, '')
  const limits = { waitMs: options.waitMs ?? WAIT_MS, timeoutMs: options.timeoutMs }
  const send: SendToDaraja = async ({ method, path, headers, body }) => {
    const request = {
      origin,
      path: basePath + path,
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    }
    const outcome = await exchange(agent, request, limits)
    return outcome.kind === 'answered' ? toReply(outcome) : outcome
  }
  return { send, close: () => agent.close() }
}

/** An HTTP answer as a reply. */
export const toReply = ({ status, bytes }: { status: number; bytes: Buffer }): Reply => {
  const json = readJson(bytes)
  return {
    kind: 'answered',
    status,
    json: json instanceof JsonObject ? json : undefined,
    text: bytes.toString('utf8'),
  }
}

/** Accounts that can be asking for a token at the same time; each asks once. */
const TOKEN_CONNECTIONS = 16

/**
 * Connections to Daraja, apart for pushes, tokens and the rest, so that none waits behind another kind: queries that
 * Daraja leaves hanging would hold every connection that payments need. As many of each as there are calls of it at
 * once.
 */
export const createDarajaConnections = (options: {
  baseUrl: string
  timeoutMs: number
  pushes: number
  queries: number
}): DarajaClient => {
  const { baseUrl, timeoutMs } = options
  const pushes = createDarajaClient({ baseUrl, timeoutMs, connections: options.pushes })
  const tokens = createDarajaClient({ baseUrl, timeoutMs, connections: TOKEN_CONNECTIONS })
  const queries = createDarajaClient({ baseUrl, timeoutMs, connections: options.queries })
  const clientFor = (path: string): DarajaClient => {
    if (path === PUSH_PATH) return pushes
    return path.startsWith(TOKEN_PATH) ? tokens : queries
  }
  const send: SendToDaraja = (call) => clientFor(call.path).send(call)
  const close = async (): Promise<void> => {
    await Promise.all([pushes.close(), tokens.close(), queries.close()])
  }
  return { send, close }
}
