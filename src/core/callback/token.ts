import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** Makes and reads the tokens that callback URLs carry. */
export type CallbackTokens = {
  /** The token of a payment. */
  issue(paymentId: bigint): string
  /** The payment that a token names; null when nobody here issued it. */
  read(token: string): bigint | null
}

/**
 * Where Daraja is to call back for a payment. The token names the payment. The nonce, which is drawn when the payment
 * is accepted and stored with it, makes the URL that of this payment and no other: a database that is put back to an
 * older copy gives ids again, and their tokens with them. It stands in the query, which processes of the release before
 * ignore.
 */
export const renderCallbackUrl = (options: {
  /** Without a slash at its end. */
  publicUrl: string
  token: string
  /** Null: of a payment that a release accepted which knew of none. */
  nonce: string | null
}): string => {
  const url = `${options.publicUrl}/callbacks/stk/${options.token}`
  return options.nonce === null ? url : `${url}?nonce=${options.nonce}`
}

/** A nonce as a callback URL carries it; null for anything else. */
export const parseNonce = (text: string): string | null => (/^[0-9a-f]{16}$/.test(text) ? text : null)

const ID_DIGITS = 16
const MAC_DIGITS = 32

/**
 * A callback token is the payment's id and 128 bits of an HMAC of it, in lower-case hexadecimal: no index is needed to
 * find the payment, nobody can invent one, and none of the words that Daraja refuses in a URL can occur. `secretKey` is
 * the root key; `previousSecretKey` still reads tokens that were issued under it.
 */
export const createCallbackTokens = (options: {
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
}): CallbackTokens => {
  const key = deriveKey(options.secretKey)
  const readingKeys = options.previousSecretKey === null ? [key] : [key, deriveKey(options.previousSecretKey)]
  return {
    issue: (paymentId) => {
      const digits = paymentId.toString(16).padStart(ID_DIGITS, '0')
      return digits + macOf(digits, key).toString('hex')
    },
    read: (token) => {
      if (!/^[0-9a-f]{48}$/.test(token)) return null
      const digits = token.slice(0, ID_DIGITS)
      const mac = Buffer.from(token.slice(ID_DIGITS), 'hex')
      const issued = readingKeys.some((one) => timingSafeEqual(macOf(digits, one), mac))
      return issued ? BigInt(`0x${digits}`) : null
    },
  }
}

/** As a key object: createHmac makes one of plain bytes each time, which costs more than the HMAC. */
const deriveKey = (secretKey: Uint8Array): KeyObject =>
  createSecretKey(
    Buffer.from(hkdfSync('sha256', secretKey, new Uint8Array(), 'mpesa-gateway callback token', 32)),
  )

const macOf = (digits: string, key: KeyObject): Buffer =>
  createHmac('sha256', key)
    .update(digits)
    .digest()
    .subarray(0, MAC_DIGITS / 2)
