import type { Dispatcher } from 'undici'

/** What became of one HTTP request. */
export type Exchange =
  | { kind: 'answered'; status: number; bytes: Buffer }
  /**
   * For certain not one byte of it was written. `waited`: no connection was free in time, so nothing is known of the
   * way.
   */
  | { kind: 'not_sent'; reason: string; waited: boolean }
  /** It may have arrived. */
  | { kind: 'no_answer'; reason: string }

type Request = {
  origin: string
  path: string
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body: string | null
}

/**
 * Makes one request, once. Never rejects. Whether it was sent is what the connection says and no error's name: undici
 * calls `onRequestStart` with a connected socket in its hands, immediately before it writes the first byte, and writes
 * nothing where that aborts. So what fails before was not sent (names, connecting, TLS, the wait for a free
 * connection); and what fails after may have arrived, be it called EHOSTUNREACH. `waitMs` bounds the time until that
 * moment, `timeoutMs` from it to the last byte of the answer.
 */
export const exchange = (
  dispatcher: Dispatcher,
  request: Request,
  { waitMs, timeoutMs }: { waitMs: number; timeoutMs: number },
): Promise<Exchange> =>
  new Promise((resolve) => {
    let phase: 'waiting' | 'written' | 'ended' = 'waiting'
    let status = 0
    const chunks: Buffer[] = []

    const end = (outcome: Exchange): void => {
      phase = 'ended'
      clearTimeout(timer)
      resolve(outcome)
    }
    const fail = (error: unknown): void => {
      const reason = reasonOf(error)
      if (phase === 'waiting') end({ kind: 'not_sent', reason, waited: false })
      if (phase === 'written') end({ kind: 'no_answer', reason })
    }
    let timer = setTimeout(
      () => end({ kind: 'not_sent', reason: 'no connection was free in time', waited: true }),
      waitMs,
    )

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (controller) => {
        // What was given up, or written before, must not be written now: it would be asked for twice.
        if (phase !== 'waiting') return controller.abort(new Error('given up'))
        phase = 'written'
        clearTimeout(timer)
        timer = setTimeout(() => controller.abort(new LateAnswer()), timeoutMs)
      },
      onResponseStart: (_controller, statusCode) => {
        status = statusCode
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk)
      },
      onResponseEnd: () => end({ kind: 'answered', status, bytes: Buffer.concat(chunks) }),
      onResponseError: (_controller, error) => fail(error),
    }
    try {
      dispatcher.dispatch(
        {
          origin: request.origin,
          path: request.path,
          method: request.method,
          headers: request.headers,
          body: request.body,
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        handler,
      )
    } catch (error) {
      fail(error)
    }
  })

class LateAnswer extends Error {
  override readonly name = 'TimeoutError'
  override readonly message = 'no answer in time'
}

/** Begins with the code of Node or undici where there is one. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return `${code}: ${error.message}`
}
