import { Agent, request } from 'undici'
import { cleanText } from '../../values/outside-text.ts'

/** What came back from Daraja, or what became of the attempt to ask. */
export type Reply =
  /** An HTTP answer; `json` is undefined when the body is no JSON object. */
  | { kind: 'answered'; status: number; json: Record<string, unknown> | undefined; text: string }
  /** Not one byte of the request left us: the connection could not be made. */
  | { kind: 'not_sent'; reason: string }
  /** The request may have arrived: time-out, cut connection. */
  | { kind: 'no_answer'; reason: string }

/** Sends one request to Daraja. Never rejects: how it failed is part of the reply. */
export type SendToDaraja = (call: {
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: unknown
}) => Promise<Reply>

export type DarajaClient = { send: SendToDaraja; close(): Promise<void> }

/** Errors of undici and the system that arise before anything is written. */
const NOT_SENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Longer answers than Daraja ever gives are cut off as no answer. */
const MAX_ANSWER_BYTES = 64 * 1024

/**
 * Opens connections to Daraja at `baseUrl`. `timeoutMs` bounds one call from its start to the last byte of the answer.
 * Connections are kept for four seconds of idleness only: a request that meets a connection which Daraja is just closing has
 * an unknown outcome.
 */
export const createDarajaClient = (options: {
  baseUrl: string
  timeoutMs: number
  connections: number
}): DarajaClient => {
  const agent = new Agent({
    allowH2: false,
    connections: options.connections,
    connect: { timeout: 5_000 },
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 4_000,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  const send: SendToDaraja = async (call) => {
    try {
      const response = await request(options.baseUrl + call.path, {
        dispatcher: agent,
        method: call.method,
        headers: { ...call.headers, ...(call.body !== undefined && { 'content-type': 'application/json' }) },
        ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
        signal: AbortSignal.timeout(options.timeoutMs),
      })
      const text = await response.body.text()
      return { kind: 'answered', status: response.statusCode, json: parseObject(text), text }
    } catch (error) {
      return toFailure(error)
    }
  }
  return { send, close: () => agent.close() }
}

/** Its texts are clean, whoever they are shown or told to. */
const parseObject = (text: string): Record<string, unknown> | undefined => {
  try {
    const parsed: unknown = JSON.parse(text, (_name, value: unknown) =>
      typeof value === 'string' ? cleanText(value) : value,
    )
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? Object.fromEntries(Object.entries(parsed))
      : undefined
  } catch {
    return undefined
  }
}

const toFailure = (error: unknown): Reply => {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const reason = error instanceof Error ? `${code || error.name}: ${error.message}` : String(error)
  return { kind: NOT_SENT_CODES.has(code) ? 'not_sent' : 'no_answer', reason }
}
