import { toAccountReference } from '../daraja/stk-push.ts'
import { createUniqueReferences } from '../daraja/unique-reference.ts'
import type { GivenReference, Referred } from './match-payments.ts'

/**
 * Makes what Daraja may have been given as a payment's AccountReference: its unique one, under this key and the one
 * before, and its partner's, shortened. Which it was hangs on the settings of its account when it was pushed, and those
 * are not kept.
 */
export const createGivenReferences = (keys: {
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
}): ((payment: Referred) => GivenReference[]) => {
  const issuers = [keys.secretKey, keys.previousSecretKey].flatMap((secretKey) =>
    secretKey === null ? [] : [createUniqueReferences({ secretKey, previousSecretKey: null })],
  )
  return ({ id, reference, callback_nonce: nonce }) => [
    ...issuers.map((issuer) => ({ reference: issuer.issue(id, nonce), isUnique: true })),
    { reference: toAccountReference(reference, id), isUnique: false },
  ]
}
