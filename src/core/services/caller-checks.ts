import type { ConnectError } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type { WrongSecrets } from '../../runtime/count-wrong-secrets.ts'
import type { NoteRefused } from '../../runtime/refused-callers.ts'
import {
  type CheckKey,
  type CheckPartner,
  createKeyCheck,
  createPartnerCheck,
} from '../partners/authenticate.ts'
import { createThrottle, type Throttle } from '../partners/request-rate.ts'
import { type CheckToken, createTokenCheck } from '../partners/service-token.ts'
import { failure } from './failure.ts'

/** How callers are identified. */
export type CallerChecks = {
  checkKey: CheckKey
  checkToken: CheckToken
  checkPartner: CheckPartner
  throttle: Throttle
  /** Records that a key authenticated a request just now. */
  noteUse: (keyId: bigint) => void
  /** Records that a caller was refused. */
  noteRefused: NoteRefused
}

/** Makes the checks. Wrong keys and wrong tokens are counted together: an address guesses at both. */
export const createCallerChecks = (parts: {
  database: Database
  nowMs: () => number
  wrongSecrets: WrongSecrets
  /** Of partners that have no rate of their own; null: no limit. */
  partnerRequestsPerSecond: number | null
  /** With the test keys of one partner. */
  testRequestsPerSecond: number
  noteUse: (keyId: bigint) => void
  noteRefused: NoteRefused
  /** False: it is not known yet whether the database has the schema of this release. */
  isStarted: () => boolean
}): CallerChecks => {
  const { database, nowMs, wrongSecrets } = parts
  const onceStarted =
    <Args extends unknown[], Found>(check: (...given: Args) => Promise<Found>) =>
    (...given: Args): Promise<Found> =>
      parts.isStarted() ? check(...given) : Promise.reject(starting())
  return {
    checkKey: onceStarted(createKeyCheck({ database, nowMs, wrongSecrets })),
    checkToken: onceStarted(createTokenCheck({ database, nowMs, wrongSecrets })),
    checkPartner: onceStarted(createPartnerCheck({ database, nowMs })),
    throttle: createThrottle({
      database,
      nowMs,
      requestsPerSecond: parts.partnerRequestsPerSecond,
      testRequestsPerSecond: parts.testRequestsPerSecond,
    }),
    noteUse: parts.noteUse,
    noteRefused: parts.noteRefused,
  }
}

const starting = (): ConnectError => failure('STARTING', 'the gateway is starting', { retryAfterSeconds: 1 })
