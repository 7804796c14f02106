import { randomBytes } from 'node:crypto'
import { type SampleOutcome } from '../core/outbox/sample-outcomes.ts'
import { Refused } from '../core/services/refused.ts'
import type { Database } from '../database/connect.ts'
import { createPoster, type Poster, type PostResult } from '../dispatcher/deliver/post.ts'
import { createSigner, type ToSign } from '../dispatcher/deliver/sign.ts'
import { createAddressGuard, createOwnAddresses } from '../dispatcher/network/guard-address.ts'
import { createResolver } from '../dispatcher/network/resolve-host.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Vault } from '../runtime/seal.ts'
import type { CallbackUrl, CallbackUrlPolicy } from '../values/callback-url.ts'

/** What came of one sample. */
export type SampleAnswer = { outcome: string; webhookId: string; attempt: number } & Pick<
  PostResult,
  'status' | 'errorClass' | 'durationMs' | 'address' | 'answer'
>

/** Where samples may go, as deliveries may, and who is asked for names; null: the machine's own name servers. */
export type SampleWay = CallbackUrlPolicy & { nameServers: readonly string[] | null }

/** Signs a sample; throws `Refused` where the partner's secret cannot. */
export type SignSample = (sample: Omit<ToSign, 'partner_id'>) => Promise<string>

/** Makes what POSTs samples, as deliveries are: under the same limits, past the same guard. */
export const createSamplePoster = ({ allowPrivateNetworks, nameServers }: SampleWay): Poster => {
  const resolve = createResolver({ allowPrivateNetworks, nameServers })
  return createPoster({
    guard: createAddressGuard({ allowPrivateNetworks, resolve, ownAddresses: createOwnAddresses(nowMs) }),
    clock: systemClock,
    nowMs,
  })
}

/** Makes what signs samples with a partner's secrets, which are read once: whatever follows needs no database. */
export const createSampleSigner = (parts: {
  database: Database
  vault: Vault
  log: Log
  partnerId: bigint
}): SignSample => {
  const { database, vault, log, partnerId } = parts
  const beganMs = nowMs()
  const sign = createSigner({ database, vault, retryUntilStopped: (ask) => ask(), nowMs: () => beganMs, log })
  return async ({ webhook_id, started_at, body }) => {
    const signed = await sign({ webhook_id, started_at, body, partner_id: partnerId })
    if (signed.kind === 'signed') return signed.signature
    throw new Refused(
      'not_possible',
      signed.kind === 'impossible'
        ? `the signing secret of partner ${partnerId} cannot be opened: is SECRET_KEY right?`
        : `partner ${partnerId} has no signing secret: gateway partners signing-secret rotate ${partnerId}`,
    )
  }
}

const nowMs = (): number => performance.now()

/**
 * POSTs samples one after the other, so that what comes second for a payment comes second. Once `isOver` none is begun
 * after the first: there are fewer answers then than samples.
 */
export const sendSamples = async (given: {
  url: CallbackUrl
  samples: readonly SampleOutcome[]
  poster: Poster
  /** Null: nothing is signed. */
  sign: SignSample | null
  isOver: () => boolean
}): Promise<SampleAnswer[]> => {
  const { url, samples, poster, sign, isOver } = given
  const answers: SampleAnswer[] = []
  for (const { name, body, attempt } of samples) {
    if (answers.length > 0 && isOver()) break
    const last = answers.at(-1)
    const webhookId = attempt > 1 && last ? last.webhookId : `test_${randomBytes(12).toString('hex')}`
    const startedAt = systemClock()
    const signature = sign && (await sign({ webhook_id: webhookId, started_at: startedAt, body }))
    const { status, errorClass, durationMs, address, answer } = await poster.post({
      url,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'mpesa-gateway',
        'webhook-id': webhookId,
        'webhook-timestamp': String(Math.floor(startedAt.getTime() / 1000)),
        'webhook-attempt': String(attempt),
        ...(signature !== null && { 'webhook-signature': signature }),
        'x-gateway-test': name,
      },
      body,
    })
    answers.push({ outcome: name, webhookId, attempt, status, errorClass, durationMs, address, answer })
  }
  return answers
}

/** How many of the samples that were sent failed. */
export const failuresIn = (answers: readonly SampleAnswer[]): number =>
  answers.filter(({ errorClass }) => errorClass !== null).length

/** What came of them, in a sentence. */
export const summaryOf = (answers: readonly SampleAnswer[]): string => {
  const failures = failuresIn(answers)
  if (answers.length === 1)
    return failures === 0
      ? 'It was answered with a 2xx.'
      : 'It failed: it would be tried again as the schedule says.'
  return failures === 0
    ? `All ${answers.length} were answered with a 2xx.`
    : `${failures} of ${answers.length} failed: each would be tried again as the schedule says.`
}
