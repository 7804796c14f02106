/** The gateway refused a request, or gave no answer in any of the attempts: then `status` is null, and `cause` says why. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  /** HTTP status; decide on it, for the message is for people and its wording may change. */
  readonly status: number | null
  /** How many seconds to wait before the request is made again, where the gateway said so. */
  readonly retryAfterSeconds: number | null
  /** What to quote when the request is reported. */
  readonly requestId: string | null

  constructor(
    message: string,
    about: {
      status: number | null
      retryAfterSeconds?: number | null
      requestId?: string | null
      cause?: unknown
    },
  ) {
    super(message, { cause: about.cause })
    this.status = about.status
    this.retryAfterSeconds = about.retryAfterSeconds ?? null
    this.requestId = about.requestId ?? null
  }
}
