import { type Attempt, repeat, secondsIn } from './attempts.ts'
import { GatewayError } from './gateway-error.ts'
import type {
  Accepted,
  DeliveriesAnswer,
  Duplicate,
  ResendAnswer,
  ResendCount,
  ResendManyAnswer,
  ResendRequest,
  StatusAnswer,
  StkPushRequest,
  Transaction,
  TransactionAnswer,
  TransactionFilters,
  TransactionsAnswer,
} from './rest-types.ts'

/** Where the gateway is, and who asks. */
export type PartnerOptions = {
  /** As it was given with the key: `https://payments.example.com`. */
  baseUrl: string
  /** `mpg_…`, or `mpg_test_…` to rehearse. */
  apiKey: string
  /** How often a request is made at most; 5 unless given. */
  attempts?: number
  /** How long an answer may take, 30 seconds unless given. */
  timeoutMs?: number
  /** A request that would have to wait longer than this is refused with what the gateway said; a minute unless given. */
  maxWaitMs?: number
}

/** What may be given with every call. */
export type CallOptions = { signal?: AbortSignal }

type Call = {
  method: 'GET' | 'POST'
  path: string
  query?: TransactionFilters | undefined
  body?: StkPushRequest | ResendRequest
  idempotencyKey?: string
  options?: CallOptions | undefined
}

const TRANSACTIONS = '/api/v1/mpesa/transactions'

/**
 * The REST API of a partner. Whatever has no answer, or is answered 429 or 500 or as a proxy answers for a gateway that is away,
 * is made again, for all of it may be repeated; what is refused otherwise throws a GatewayError.
 */
export const createPartnerClient = (partner: PartnerOptions) => {
  const call = <Answer>(one: Call): Promise<Answer> => {
    const { attempts = 5, maxWaitMs = 60_000 } = partner
    return repeat(() => attempt<Answer>(partner, one), { attempts, maxWaitMs, signal: one.options?.signal })
  }
  const get = <Answer>(path: string, options?: CallOptions, query?: TransactionFilters): Promise<Answer> =>
    call({ method: 'GET', path, options, query })
  const ofPayment = (transactionId: number): string => `${TRANSACTIONS}/${transactionId}`
  const listTransactions = (
    filters: TransactionFilters = {},
    options?: CallOptions,
  ): Promise<TransactionsAnswer> => get(TRANSACTIONS, options, filters)

  return {
    /**
     * Asks for a payment. `idempotencyKey`: your own name for it, stored before you call; the same key with the same fields
     * is the same payment for ever, so that asking again after a crash prompts nobody twice.
     */
    requestPayment: async (
      request: StkPushRequest,
      { idempotencyKey, ...options }: CallOptions & { idempotencyKey: string },
    ): Promise<Accepted | Duplicate> => {
      // A caller in JavaScript may have none, and whatever has no answer is made again.
      if (!idempotencyKey)
        throw new TypeError('idempotencyKey is missing: give each payment a name of its own')
      return call({ method: 'POST', path: '/api/v1/mpesa/stk_push', body: request, idempotencyKey, options })
    },

    getTransaction: async (transactionId: number, options?: CallOptions): Promise<Transaction> =>
      (await get<TransactionAnswer>(ofPayment(transactionId), options)).transaction,

    /** One page, newest first; `next_before` of its answer is the `before` of the next. */
    listTransactions,

    /** All that fit, newest first, page by page as they are taken. */
    allTransactions: async function* (filters: TransactionFilters = {}, options?: CallOptions) {
      let before: number | null | undefined = filters.before
      do {
        const page: TransactionsAnswer = await listTransactions(
          { ...filters, ...(before && { before }) },
          options,
        )
        yield* page.transactions
        before = page.next_before
      } while (before !== null)
    },

    /** Takes a payment back that nobody was prompted for; in any other state a GatewayError of status 422. */
    cancelTransaction: async (transactionId: number, options?: CallOptions): Promise<Transaction> => {
      const path = `${ofPayment(transactionId)}/cancel`
      return (await call<TransactionAnswer>({ method: 'POST', path, options })).transaction
    },

    /** What was sent of a payment, and how it was answered each time. */
    listDeliveries: async (transactionId: number, options?: CallOptions) =>
      (await get<DeliveriesAnswer>(`${ofPayment(transactionId)}/deliveries`, options)).deliveries,

    /** Has the outcome of a payment sent again, under the `webhook-id` that it had. */
    resendOutcome: (transactionId: number, options?: CallOptions): Promise<ResendAnswer> =>
      call({ method: 'POST', path: `${ofPayment(transactionId)}/resend`, options }),

    /** Has outcomes sent again that did not arrive; with `dry_run` they are only counted. */
    resendOutcomes: (
      filters: ResendRequest,
      options?: CallOptions,
    ): Promise<ResendCount | ResendManyAnswer> =>
      call({ method: 'POST', path: `${TRANSACTIONS}/resend`, body: filters, options }),

    /** Whether the gateway is well. */
    getStatus: (options?: CallOptions): Promise<StatusAnswer> => get('/api/v1/status', options),
  }
}

export type PartnerClient = ReturnType<typeof createPartnerClient>

const AGAIN: ReadonlySet<number> = new Set([429, 500, 502, 503, 504])

const attempt = async <Answer>(partner: PartnerOptions, call: Call): Promise<Attempt<Answer>> => {
  const { timeoutMs = 30_000 } = partner
  const signal = call.options?.signal
  const timeout = AbortSignal.timeout(timeoutMs)
  // Made before anything is sent: what cannot be a request is the caller's to correct, and repeating it is no use.
  const request = new Request(urlOf(partner, call), {
    method: call.method,
    headers: headersOf(partner, call),
    body: call.body === undefined ? null : JSON.stringify(call.body),
    redirect: 'error',
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  })
  try {
    const response = await fetch(request)
    const text = await response.text()
    if (response.ok) return { kind: 'done', result: JSON.parse(text) }
    const error = refusal(response, text)
    if (!AGAIN.has(response.status)) throw error
    return { kind: 'again', afterSeconds: error.retryAfterSeconds, error }
  } catch (cause) {
    if (cause instanceof GatewayError || signal?.aborted) throw cause
    const message = `no answer from ${partner.baseUrl}: repeat the request with the same idempotency key`
    return { kind: 'again', afterSeconds: null, error: new GatewayError(message, { status: null, cause }) }
  }
}

const urlOf = ({ baseUrl }: PartnerOptions, { path, query = {} }: Call): URL => {
  const url = new URL(`${baseUrl.replace(/\/$/, '')}${path}`)
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(name, String(value))
  return url
}

const headersOf = ({ apiKey }: PartnerOptions, call: Call): Record<string, string> => ({
  'x-api-key': apiKey,
  ...(call.body !== undefined && { 'content-type': 'application/json' }),
  ...(call.idempotencyKey !== undefined && { 'x-idempotency-key': call.idempotencyKey }),
})

const refusal = (response: Response, text: string): GatewayError => {
  const { status, headers } = response
  return new GatewayError(messageIn(text) ?? `HTTP ${status}`, {
    status,
    retryAfterSeconds: secondsIn(headers.get('retry-after')),
    requestId: headers.get('x-request-id'),
  })
}

/** What stands between us and the gateway may answer with another body than the gateway's. */
const messageIn = (text: string): string | null => {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : null
  } catch {
    return null
  }
}
