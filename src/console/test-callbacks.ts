/** What came of one sample: as of an attempt to deliver. */
export type SampleAnswer = {
  readonly outcome: string
  readonly webhookId: string
  readonly attempt: number
  /** Null where no answer began. */
  readonly status: number | null
  /** Null for a 2xx. */
  readonly errorClass: string | null
  readonly durationMs: number
  readonly address: string | null
  /** The beginning of the answer, in the endpoint's words. */
  readonly answer: string | null
}

/** Sends samples of outcomes to a partner's endpoint, signed and marked as tests: made by a command, handed to the console. */
export type TestCallbacks = {
  /** The outcomes that there are samples of. */
  readonly outcomes: readonly string[]
  /** Sends them, within a bounded time. Throws `Refusal` before anything is sent, of the field `url` where that is wrong. */
  send(given: {
    partnerId: bigint
    url: string
    /** The endpoint that the URL must be at; null: any that the partner may have. */
    host: string | null
    /** One outcome alone; null: all. */
    outcome: string | null
  }): Promise<{
    readonly answers: readonly SampleAnswer[]
    /** How many were not sent any more, for the time was over. */
    readonly unsent: number
    /** What came of those that were sent. */
    readonly summary: string
  }>
}
