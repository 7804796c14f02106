import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Makes and reads the AccountReferences of an account that has one for each payment. */
export type UniqueReferences = {
  /**
   * The reference of a payment with this nonce; throws for an id that needs more than twelve characters with its check.
   */
  issue(paymentId: bigint, nonce: string | null): string
  /**
   * The payment that a reference names, among those whose nonce is known; null when it is none of theirs. `isProven` is
   * false for a reference as the release before issued it, of a payment that has a nonce: it may be of another that had
   * the id.
   */
  read(reference: string, nonces: Nonces): { paymentId: bigint; isProven: boolean } | null
}

/** The nonces of payments by their ids; null: accepted by a release that knew of none. */
export type Nonces = ReadonlyMap<bigint, string | null>

/** Digits and letters that cannot be taken for one another when they are read aloud or typed. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const CHECK_CHARACTERS = 4
/** Daraja takes twelve characters. */
const MAX_ID_CHARACTERS = 8

/**
 * A unique reference is the payment's id and four characters that only we can make, all in base 32: short enough for
 * the payer to see, with no index needed to find the payment, and next to no chance that what somebody types into
 * M-PESA by hand, such as an order number, names a payment. The nonce goes into the check, so that it is not the
 * reference of another payment that had the id, in a database that was put back since. `secretKey` is the root key;
 * `previousSecretKey` still reads what it issued.
 */
export const createUniqueReferences = (options: {
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
}): UniqueReferences => {
  const key = deriveKey(options.secretKey)
  const readingKeys = options.previousSecretKey === null ? [key] : [key, deriveKey(options.previousSecretKey)]
  return {
    issue: (paymentId, nonce) => {
      const digits = encode(paymentId)
      if (digits.length > MAX_ID_CHARACTERS)
        throw new RangeError(`no unique reference for payment ${paymentId}`)
      return digits + checkOf(digits, nonce, key)
    },
    read: (reference, nonces) => {
      const { digits, check } = partsOf(reference)
      const paymentId = idNamedBy(reference)
      if (paymentId === null) return null
      const nonce = nonces.get(paymentId)
      if (nonce === undefined) return null
      const isIssuedWith = (given: string | null): boolean =>
        readingKeys.some((one) => isSame(checkOf(digits, given, one), check))
      if (isIssuedWith(nonce)) return { paymentId, isProven: true }
      return isIssuedWith(null) ? { paymentId, isProven: false } : null
    },
  }
}

const partsOf = (reference: string): { digits: string; check: string } => {
  const text = reference.trim().toUpperCase()
  return { digits: text.slice(0, -CHECK_CHARACTERS), check: text.slice(-CHECK_CHARACTERS) }
}

/** The payment that a reference names, if it is a unique one at all: of its check nothing is known here. */
export const idNamedBy = (reference: string): bigint | null => {
  const { digits } = partsOf(reference)
  return /^[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{0,7}$/.test(digits) ? decode(digits) : null
}

const deriveKey = (secretKey: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', secretKey, new Uint8Array(), 'mpesa-gateway account reference', 32))

const encode = (id: bigint): string => {
  const digit = DIGITS.charAt(Number(id % 32n))
  return id < 32n ? digit : encode(id / 32n) + digit
}

const decode = (digits: string): bigint =>
  digits === '' ? 0n : decode(digits.slice(0, -1)) * 32n + BigInt(DIGITS.indexOf(digits.slice(-1)))

const checkOf = (digits: string, nonce: string | null, key: Buffer): string =>
  [
    ...createHmac('sha256', key)
      .update(nonce === null ? digits : `${digits} ${nonce}`)
      .digest()
      .subarray(0, CHECK_CHARACTERS),
  ]
    .map((byte) => DIGITS.charAt(byte % 32))
    .join('')

const isSame = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
