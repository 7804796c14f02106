import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'

/** Keeps small secrets at rest. */
export type Vault = {
  /** Seals a secret for one place: `identity` names the row and column that it is kept in. */
  seal(secret: string, identity: string): string
  /** Opens what was sealed for the same place under the present key or the one before; else throws `CannotOpen`. */
  open(sealed: string, identity: string): string
  /** False for what was sealed under the key before, and is to be sealed again. */
  isCurrent(sealed: string): boolean
}

/** Thrown for what was sealed under a key that is not at hand, for another place, or was changed since. */
export class CannotOpen extends Error {
  override name = 'CannotOpen'
}

type Key = { id: string; key: Buffer }

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const VERSION = 's1'

/**
 * Makes a vault from the root keys, 32 bytes each. A sealed secret is `s1.<key id>.<nonce, ciphertext and tag in
 * base64url>`: AES-256-GCM under a key derived from the root key, with all that stands before the bytes and the
 * identity as associated data. So a sealed secret that is moved to another row opens no more than one that was changed.
 * `randomBytes` returns as many random bytes as it is asked for.
 */
export const createVault = (options: {
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
  randomBytes: (count: number) => Buffer
}): Vault => {
  const current = toKey(options.secretKey)
  const keys = options.previousSecretKey === null ? [current] : [current, toKey(options.previousSecretKey)]
  return {
    seal: (secret, identity) => {
      const nonce = options.randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, current.key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(associatedData(current.id, identity))
      const bytes = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return `${VERSION}.${current.id}.${Buffer.concat(bytes).toString('base64url')}`
    },
    open: (sealed, identity) => {
      const { keyId, bytes } = read(sealed)
      const key = keys.find(({ id }) => id === keyId)
      if (!key) throw new CannotOpen(`${identity} was sealed under a key that is not at hand: ${keyId}`)
      return openWith(key, bytes, identity)
    },
    isCurrent: (sealed) => read(sealed).keyId === current.id,
  }
}

const openWith = (key: Key, bytes: Buffer, identity: string): string => {
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv(CIPHER, key.key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(associatedData(key.id, identity))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([opened, decipher.final()]).toString('utf8')
  } catch {
    throw new CannotOpen(`${identity} was changed since it was sealed, or sealed for another row`)
  }
}

const read = (sealed: string): { keyId: string; bytes: Buffer } => {
  const [, keyId, text] = /^s1\.([0-9a-f]{8})\.([\w-]+)$/.exec(sealed) ?? []
  const bytes = Buffer.from(text ?? '', 'base64url')
  if (keyId === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) {
    throw new CannotOpen('what is kept was not sealed here')
  }
  return { keyId, bytes }
}

const associatedData = (keyId: string, identity: string): Buffer =>
  Buffer.from(`${VERSION}.${keyId}.${identity}`, 'utf8')

/** The id distinguishes keys and reveals nothing of them. */
const toKey = (secretKey: Uint8Array): Key => ({
  id: derive(secretKey, 'mpesa-gateway id of the key of sealed secrets', 4).toString('hex'),
  key: derive(secretKey, 'mpesa-gateway sealed secrets', 32),
})

const derive = (secretKey: Uint8Array, info: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secretKey, new Uint8Array(), info, bytes))
