import { Agent } from 'undici'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Ledger, PostedCallback, Prompt } from './ledger.ts'
import { maskCallbackUrl } from './mask.ts'
import type { Result } from './results.ts'

const CONNECT_TIMEOUT_MS = 5_000
const ANSWER_TIMEOUT_MS = 30_000
/** At most so many callbacks are under way to one receiver at once; the rest wait for their turn. */
const CONNECTIONS_PER_RECEIVER = 64

export type CallbackSender = {
  /** Posts a callback so many times at once with the same bytes. Resolves when all were answered or failed. */
  tell(prompt: Prompt, callback: { result: Result; body: string; times: number }): Promise<void>
  /** Ends what is under way. */
  close(): Promise<void>
}

/** Creates the sender of callbacks. Each is posted once: what fails is logged and counted, never repeated, like upstream. */
export const createCallbackSender = (options: { ledger: Ledger; clock: Clock; log: Log }): CallbackSender => {
  const { ledger, clock, log } = options
  const agent = new Agent({
    allowH2: false,
    connections: CONNECTIONS_PER_RECEIVER,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  })

  const send = async (prompt: Prompt, callback: PostedCallback): Promise<void> => {
    try {
      callback.status = await post({ agent, prompt, body: callback.body })
    } catch (error) {
      callback.error = describeFailure(error)
    }
    callback.answeredAt = clock()
    report({ ledger, log, prompt, callback })
  }

  const tell: CallbackSender['tell'] = async (prompt, { result, body, times }) => {
    const postedAt = clock()
    const callbacks = Array.from(
      { length: times },
      (): PostedCallback => ({
        postedAt,
        resultCode: result.code,
        status: null,
        error: null,
        answeredAt: null,
        body,
      }),
    )
    prompt.callbacks.push(...callbacks)
    ledger.totals().callbacksPosted += times
    await Promise.all(callbacks.map((callback) => send(prompt, callback)))
  }

  return { tell, close: () => agent.destroy() }
}

/** Posts one callback; resolves with the HTTP status of the answer, whose body is of no interest. */
const post = async (options: { agent: Agent; prompt: Prompt; body: string }): Promise<number> => {
  const url = new URL(options.prompt.callbackUrl)
  const response = await options.agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'POST',
    headers: {
      'Content-Type': 'application/json;charset=UTF-8',
      Businessshortcode: options.prompt.shortcode,
    },
    body: options.body,
  })
  // An answer that breaks off after its status has still been given.
  response.body.dump().catch(() => undefined)
  return response.statusCode
}

const describeFailure = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

const report = (options: { ledger: Ledger; log: Log; prompt: Prompt; callback: PostedCallback }): void => {
  const { prompt, callback } = options
  const line = {
    merchantRequestId: prompt.merchantRequestId,
    callbackUrl: maskCallbackUrl(prompt.callbackUrl),
    resultCode: callback.resultCode,
    status: callback.status,
    error: callback.error,
  }
  if (callback.status !== null && callback.status >= 200 && callback.status < 300) {
    options.log.info(line, 'callback answered')
    return
  }
  options.ledger.totals().callbacksFailed += 1
  options.log.warn(line, 'callback failed: it is not repeated')
}
