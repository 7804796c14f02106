import { Agent, type Dispatcher } from 'undici'
import type { Clock } from '../../runtime/clock.ts'
import type { ErrorClass } from '../../values/error-class.ts'
import { AnswerTooLarge, AttemptTimeout, classifyError, classifyStatus } from '../network/classify-error.ts'
import { createConnector } from '../network/connect.ts'
import type { AddressGuard } from '../network/guard-address.ts'
import { limitReading, observeSockets, type SocketObserver } from '../network/watch-socket.ts'
import { KEPT_BYTES, parseRetryAfter, renderAnswer } from './read-answer.ts'

/** One POST to be made. */
export type PostRequest = { url: string; headers: Record<string, string>; body: string }

/** What came of one POST. */
export type PostResult = {
  /** The HTTP status; null when no answer began. */
  status: number | null
  /** Null for a 2xx that was read to its end. */
  errorClass: ErrorClass | null
  /** What the answer's `Retry-After` asks for, ms; null without one. */
  retryAfterMs: number | null
  durationMs: number
  /** The address that was connected to; null when none was. */
  address: string | null
  /** The beginning of the answer, numbers masked; null without one. */
  answer: string | null
}

export type Poster = {
  /** Never rejects: whatever goes wrong is a result. */
  post(request: PostRequest): Promise<PostResult>
  /** Closes the connections; attempts under way fail. */
  close(): Promise<void>
}

/** How long and how much an attempt may take. */
export type PostLimits = {
  connectMs: number
  /** From the start of the attempt to the end of the answer's headers. */
  headersMs: number
  /** From the start of the attempt to the end of the answer. */
  totalMs: number
  /** Of the answer's body. */
  answerBytes: number
  /** How long a connection stays open for the next attempt, whatever the endpoint says of it. */
  idleMs: number
}

export const POST_LIMITS: PostLimits = {
  connectMs: 3_000,
  headersMs: 10_000,
  totalMs: 15_000,
  answerBytes: 64 * 1024,
  idleMs: 4_000,
}

/** How much may come in all for a byte of the longest body: a body in small chunks comes with the size of each. */
const READ_PER_ANSWER_BYTE = 4

/**
 * Makes POSTs to partners' endpoints, under the limits and past the guard. Redirects are answers like any other:
 * followed, a 302 would repeat the request as a GET without its body. The answer is read to its end, or to a limit and
 * no further. Certificates are always checked, against Node's own authorities (and those of `NODE_EXTRA_CA_CERTS`) or
 * the given ones, in PEM.
 */
export const createPoster = (options: {
  guard: AddressGuard
  limits?: PostLimits | undefined
  authorities?: readonly string[]
  clock: Clock
  nowMs: () => number
}): Poster => {
  const { guard, limits = POST_LIMITS, authorities, clock, nowMs } = options
  const observer = observeSockets()
  const closing = new AbortController()
  const agent = new Agent({
    allowH2: false,
    pipelining: 1,
    connect: createConnector({ guard, connectMs: limits.connectMs, authorities, closing: closing.signal }),
    maxResponseSize: limits.answerBytes,
    // An endpoint may end it sooner. Later it may not: a zone has any number of hosts, each with connections of its own.
    keepAliveTimeout: limits.idleMs,
    keepAliveMaxTimeout: limits.idleMs,
    // An idle time-out never ends a dripping body: an attempt has a clock of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  const post = async (request: PostRequest): Promise<PostResult> => {
    const startedMs = nowMs()
    const exchange = await exchangeOver({ guard, agent, observer, limits, nowMs }, request)
    return { ...toResult(exchange, clock), durationMs: Math.round(nowMs() - startedMs) }
  }

  const close = async (): Promise<void> => {
    observer.stop()
    closing.abort()
    await agent.destroy()
  }
  return { post, close }
}

/** What was seen of one request and its answer. */
type Exchange = {
  error: unknown
  status: number | null
  address: string | null
  retryAfter: string | undefined
  kept: Buffer[]
}

type Transport = {
  guard: AddressGuard
  agent: Agent
  observer: SocketObserver
  limits: PostLimits
  nowMs: () => number
}

const exchangeOver = (transport: Transport, request: PostRequest): Promise<Exchange> =>
  new Promise((resolve) => {
    const seen: Exchange = { error: null, status: null, address: null, retryAfter: undefined, kept: [] }
    const end = (error: unknown): void => resolve(Object.assign(seen, { error }))
    try {
      const url = new URL(request.url)
      transport.guard.refuseLiteral(url.hostname)
      transport.agent.dispatch(toDispatch(url, request), createHandler(transport, seen, end))
    } catch (error) {
      end(error)
    }
  })

const toDispatch = (url: URL, request: PostRequest): Dispatcher.DispatchOptions => ({
  origin: url.origin,
  path: `${url.pathname}${url.search}`,
  method: 'POST',
  headers: request.headers,
  body: request.body,
})

/** Follows one request under its clock, and calls `end` once, with the error that ended it or null. */
const createHandler = (
  { observer, limits, nowMs }: Transport,
  seen: Exchange,
  end: (error: unknown) => void,
): Dispatcher.DispatchHandler => {
  const startedMs = nowMs()
  let controller: Dispatcher.DispatchController | null = null
  let givenUp: Error | null = null
  let keptBytes = 0
  let stopCounting = (): void => undefined

  const finish = (error: unknown): void => {
    clearTimeout(timer)
    stopCounting()
    end(error)
  }
  const giveUp = (error: Error): void => {
    givenUp = error
    controller?.abort(error)
    finish(error)
  }
  const expire = (stage: string): void => giveUp(new AttemptTimeout(`the ${stage} took too long`))
  let timer = setTimeout(expire, limits.headersMs, 'answer')

  return {
    onRequestStart: (started) => {
      // A connection that came too late: nothing is sent any more.
      if (givenUp !== null) return started.abort(givenUp)
      controller = started
      observer.expect((socket) => {
        seen.address = socket.remoteAddress ?? null
        stopCounting = limitReading(socket, READ_PER_ANSWER_BYTE * limits.answerBytes, () =>
          giveUp(new AnswerTooLarge('the answer does not end')),
        )
      })
    },
    onResponseStart: (_controller, status, headers) => {
      if (status < 200) return
      seen.status = status
      seen.retryAfter = headers['retry-after']?.toString()
      clearTimeout(timer)
      const leftMs = startedMs + limits.totalMs - nowMs()
      timer = setTimeout(expire, leftMs, "answer's body")
    },
    onResponseData: (_controller, chunk) => {
      if (keptBytes > KEPT_BYTES) return
      keptBytes += chunk.length
      seen.kept.push(chunk)
    },
    onResponseEnd: () => finish(null),
    onResponseError: (_controller, error) => {
      seen.address ??= addressOf(error)
      finish(error)
    },
  }
}

/**
 * The address in a system error such as `connect ECONNREFUSED 203.0.113.7:443`; of several that were tried, the last.
 */
const addressOf = (error: unknown): string | null => {
  const last: unknown = error instanceof AggregateError ? error.errors.at(-1) : error
  return last instanceof Error && 'address' in last && typeof last.address === 'string' ? last.address : null
}

/** A status that is a failure says more than how the answer ended; a 2xx counts only when it was read to its end. */
const toResult = (exchange: Exchange, clock: Clock): Omit<PostResult, 'durationMs'> => {
  const ofStatus = exchange.status === null ? null : classifyStatus(exchange.status)
  return {
    status: exchange.status,
    errorClass: ofStatus ?? (exchange.error === null ? null : classifyError(exchange.error)),
    retryAfterMs: parseRetryAfter(exchange.retryAfter, clock()),
    address: exchange.address,
    answer: renderAnswer(Buffer.concat(exchange.kept)),
  }
}
