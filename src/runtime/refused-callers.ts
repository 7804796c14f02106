import { Counter, type Registry } from 'prom-client'
import type { Log } from './log.ts'

/** Why a caller was refused for who it is, by the API's own names: its key or token, or what that may do. */
export const REFUSALS = [
  'CREDENTIALS_MISSING',
  'API_KEY_UNKNOWN',
  'API_KEY_REVOKED',
  'API_KEY_EXPIRED',
  'PARTNER_DISABLED',
  'TOKEN_UNKNOWN',
  'TOKEN_REVOKED',
  'SCOPE_MISSING',
  'TOO_MANY_WRONG_CREDENTIALS',
] as const

/** A caller that was refused. Nothing of what it showed is here but the part of a known key that is shown anyway. */
export type RefusedCaller = {
  reason: (typeof REFUSALS)[number]
  /** The method of the core, or the route. */
  method: string
  /** Its address. */
  from: string
  requestId?: string | undefined
  partnerId?: bigint
  keyPrefix?: string
  /** The name of a service token. */
  token?: string
}

/** Counts a caller that was refused, and reports it. */
export type NoteRefused = (caller: RefusedCaller) => void

/** So many lines of each reason a minute: a flood must not fill the log. */
const LINES_PER_MINUTE = 10
const MINUTE_MS = 60_000

/**
 * Makes what counts refused callers and logs a line for each, at most ten a minute of one reason; the first line after
 * those says how many had none. `nowMs` is a monotonic time, ms.
 */
export const createNoteRefused = (options: {
  registry: Registry
  log: Log
  nowMs: () => number
}): NoteRefused => {
  const counter = new Counter({
    name: 'gateway_callers_refused_total',
    help: 'Callers that were refused for their key, their token, or what that may do, by reason',
    labelNames: ['reason'] as const,
    registers: [options.registry],
  })
  for (const reason of REFUSALS) counter.inc({ reason: reason.toLowerCase() }, 0)
  const minutes = new Map<string, { fromMs: number; lines: number; unlogged: number }>()
  return (caller) => {
    const { method, from } = caller
    const reason = caller.reason.toLowerCase()
    counter.inc({ reason })
    const nowMs = options.nowMs()
    let minute = minutes.get(reason)
    if (minute === undefined || nowMs - minute.fromMs >= MINUTE_MS) {
      minute = { fromMs: nowMs, lines: 0, unlogged: minute?.unlogged ?? 0 }
      minutes.set(reason, minute)
    }
    if (minute.lines === LINES_PER_MINUTE) {
      minute.unlogged += 1
      return
    }
    options.log.info({
      event: 'caller_refused',
      reason,
      method,
      from,
      request_id: caller.requestId,
      partner_id: caller.partnerId,
      key: caller.keyPrefix,
      token: caller.token,
      ...(minute.unlogged > 0 && { not_logged: minute.unlogged }),
    })
    minute.lines += 1
    minute.unlogged = 0
  }
}
