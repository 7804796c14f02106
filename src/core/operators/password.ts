import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'

/** What OWASP's Password Storage Cheat Sheet names for scrypt: 32 MB, a tenth of a second. */
const COST = { N: 2 ** 15, r: 8, p: 3 }
const SALT_BYTES = 16
const HASH_BYTES = 32
const SHORTEST = 12
const LONGEST = 200

/** Parses a password that is to be set: 12 to 200 characters, whichever. */
export const parsePassword = (text: string): Parsed<string> =>
  text.length >= SHORTEST && text.length <= LONGEST
    ? valid(text)
    : invalid(`must have ${SHORTEST} to ${LONGEST} characters`)

/** What is kept of a password: `scrypt`, a salt and the hash. */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt)
  return ['scrypt', salt.toString('base64'), hash.toString('base64')].join('$')
}

/**
 * Whether it is the password. Of an operator without one, and of none at all (`null`), it takes as long to say no as of
 * any other, so that nobody learns who there is.
 */
export const isPassword = async (password: string, kept: string | null): Promise<boolean> => {
  const [, salt = '', hash = ''] = kept?.split('$') ?? []
  const expected = Buffer.from(hash, 'base64')
  const given = await derive(password.slice(0, LONGEST + 1), Buffer.from(salt, 'base64'))
  return expected.length === given.length && timingSafeEqual(expected, given)
}

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const options: ScryptOptions = { ...COST, maxmem: 64 * 1024 * 1024 }
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, hash) => {
      if (error) reject(error)
      else resolve(hash)
    })
  })
