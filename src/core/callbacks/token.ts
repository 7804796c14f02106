import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** Makes and reads the tokens that callback URLs carry. */
export type CallbackTokens = {
  /** The token of a payment. */
  issue(paymentId: bigint): string
  /** The payment that a token names; null when nobody here issued it. */
  read(token: string): bigint | null
}

const ID_DIGITS = 16
const MAC_DIGITS = 32

/**
 * A callback token is the payment's id and 128 bits of an HMAC of it, in lower-case hexadecimal: no index is needed to find
 * the payment, nobody can invent one, and none of the words that Daraja refuses in a URL can occur. `secretKey` is the root
 * key; `previousSecretKey` still reads tokens that were issued under it.
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

/** As a key object: createHmac turns plain bytes into one each time, which costs more than the HMAC. */
const deriveKey = (secretKey: Uint8Array): KeyObject =>
  createSecretKey(
    Buffer.from(hkdfSync('sha256', secretKey, new Uint8Array(), 'mpesa-gateway callback token', 32)),
  )

const macOf = (digits: string, key: KeyObject): Buffer =>
  createHmac('sha256', key)
    .update(digits)
    .digest()
    .subarray(0, MAC_DIGITS / 2)
