import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** Where a span stands: its trace and its own id, in lower-case hexadecimal. */
export type Place = { traceId: string; spanId: string }

/**
 * What a span in a payment's trace stands for, where another stage must find it. `push`: of a push that Daraja may have
 * taken, of which there is one at most.
 */
export type Stage =
  | 'request'
  | 'accept'
  | 'push'
  | `callback ${string}`
  | `outcome ${string}`
  | `publish ${bigint} ${number}`

/** The traces of payments, and where their stages stand in them. */
export type Places = {
  /** The trace of a payment: 32 hexadecimal digits. */
  readonly traceIdOf: (paymentId: bigint) => string
  readonly placeOf: (paymentId: bigint, stage: Stage) => Place
}

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

/**
 * A payment's trace is derived from its id, and so are the ids of the spans that others lead to: every process finds
 * them, whatever became of the one before, and nothing of it is stored or sent (decision 42). `secretKey` makes traces
 * of one gateway differ from those of every other that sends to the same collector.
 */
export const createPlaces = (secretKey: Uint8Array): Places => {
  const key = deriveKey(secretKey)
  const digest = (text: string, bytes: number): string =>
    createHmac('sha256', key).update(text).digest().subarray(0, bytes).toString('hex')
  const traceIdOf = (paymentId: bigint): string => digest(`payment ${paymentId}`, TRACE_ID_BYTES)
  return {
    traceIdOf,
    placeOf: (paymentId, stage) => ({
      traceId: traceIdOf(paymentId),
      spanId: digest(`payment ${paymentId} ${stage}`, SPAN_ID_BYTES),
    }),
  }
}

/** As a key object: createHmac makes one of plain bytes each time, which costs more than the HMAC. */
const deriveKey = (secretKey: Uint8Array): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, new Uint8Array(), 'mpesa-gateway traces', 32)))
