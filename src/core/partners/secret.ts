import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 256 random bits need 43 digits in base 62, a CRC32 six. */
const RANDOM_DIGITS = 43
const CHECKSUM_DIGITS = 6

/** How many characters of a secret are kept in the clear after its prefix, to distinguish secrets on a screen. */
const DISPLAY_DIGITS = 8

const toBase62 = (number: bigint, digits: number): string => {
  let rest = number
  let text = ''
  for (let digit = 0; digit < digits; digit += 1) {
    text = (ALPHABET[Number(rest % 62n)] ?? '') + text
    rest /= 62n
  }
  return text
}

const checksumOf = (body: string): string => toBase62(BigInt(crc32(body)), CHECKSUM_DIGITS)

/**
 * A secret that callers show us: `mpg_` for a partner's API key, `mpg_test_` for one whose payments are test payments,
 * `mps_` for a service's token. The prefix is what makes a test key one: the digits after it hold no `_`.
 */
export type SecretPrefix = 'mpg_' | 'mpg_test_' | 'mps_'

/** Whether it is a test key, or the part of one that is shown. */
export const isTestKey = (apiKey: string): boolean => apiKey.startsWith('mpg_test_')

/** What is kept of a secret. */
export type SecretRecord = { hash: Buffer; displayPrefix: string }

/**
 * Makes a secret: prefix, 256 random bits in base 62 and their CRC32, by which a mistyped or invented one is recognised
 * without asking the database. `randomBytes` returns as many random bytes as it is asked for.
 */
export const makeSecret = (prefix: SecretPrefix, randomBytes: (count: number) => Buffer): string => {
  const body = `${prefix}${toBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), RANDOM_DIGITS)}`
  return body + checksumOf(body)
}

/** True for what `makeSecret` can have made: right prefix, length, digits and checksum. */
export const isWellFormedSecret = (prefix: SecretPrefix, text: string): boolean =>
  text.length === prefix.length + RANDOM_DIGITS + CHECKSUM_DIGITS &&
  text.startsWith(prefix) &&
  text.endsWith(checksumOf(text.slice(0, -CHECKSUM_DIGITS)))

/** SHA-256: the secret has 256 random bits, so that a slow hash would protect nothing more. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** What is stored of a secret. */
export const recordOf = (secret: string): SecretRecord => ({
  hash: hashSecret(secret),
  displayPrefix: secret.slice(0, secret.lastIndexOf('_') + 1 + DISPLAY_DIGITS),
})
