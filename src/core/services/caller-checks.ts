import type { Database } from '../../database/connect.ts'
import {
  type CheckKey,
  type CheckPartner,
  createKeyCheck,
  createPartnerCheck,
} from '../partners/authenticate.ts'
import { type CheckToken, createTokenCheck } from '../partners/service-token.ts'
import { createThrottle, type Throttle } from '../partners/throttle.ts'
import { createWrongSecrets } from '../partners/wrong-secrets.ts'

/** How callers are told apart. */
export type CallerChecks = {
  checkKey: CheckKey
  checkToken: CheckToken
  checkPartner: CheckPartner
  throttle: Throttle
  /** Says that a key let a request in just now. */
  noteUse: (keyId: bigint) => void
}

/** Makes the checks. Wrong keys and wrong tokens are counted together: an address guesses at both. */
export const createCallerChecks = (parts: {
  database: Database
  nowMs: () => number
  wrongSecretsPerMinute: number
  /** Of partners that have no rate of their own; null: no limit. */
  partnerRequestsPerSecond: number | null
  noteUse: (keyId: bigint) => void
}): CallerChecks => {
  const wrongSecrets = createWrongSecrets({ perMinute: parts.wrongSecretsPerMinute, nowMs: parts.nowMs })
  return {
    checkKey: createKeyCheck({ ...parts, wrongSecrets }),
    checkToken: createTokenCheck({ ...parts, wrongSecrets }),
    checkPartner: createPartnerCheck(parts),
    throttle: createThrottle({ ...parts, requestsPerSecond: parts.partnerRequestsPerSecond }),
    noteUse: parts.noteUse,
  }
}
