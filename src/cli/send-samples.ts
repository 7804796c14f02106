import { randomBytes } from 'node:crypto'
import { SAMPLE_NAMES, type SampleOutcome, sampleOutcomes } from '../core/outbox/sample-outcomes.ts'
import { findPartner } from '../core/partners/partner.ts'
import { createPoster, type Poster, type PostResult } from '../dispatcher/deliver/post.ts'
import { createSigner, type Sign, type ToSign } from '../dispatcher/deliver/sign.ts'
import { createAddressGuard, ownAddresses } from '../dispatcher/network/guard-address.ts'
import { createResolver } from '../dispatcher/network/resolve-host.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { type CallbackUrl, parseCallbackUrl } from '../values/callback-url.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { optional, readId, required } from './options.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import type { TestOptions } from './test-callback.ts'

/** What came of one sample. */
type Row = { outcome: string; webhook_id: string; attempt: number } & Pick<
  PostResult,
  'status' | 'errorClass' | 'durationMs' | 'address' | 'answer'
>

/** Sends sample deliveries to a partner's endpoint, and prints what came of them. */
export const testCallback = async (environment: Environment, options: TestOptions): Promise<void> => {
  const config = readConfig(await withRunningDatabase(environment), [
    'CALLBACK_ALLOW_HTTP',
    'CALLBACK_ALLOW_PRIVATE_NETWORKS',
    'DELIVERY_NAME_SERVERS',
  ])
  const allowPrivateNetworks = config.CALLBACK_ALLOW_PRIVATE_NETWORKS
  const policy = { allowHttp: config.CALLBACK_ALLOW_HTTP, allowPrivateNetworks }
  const url = required('--url', parseCallbackUrl(options.url, policy))
  const partnerId = optional(options.partner, readId('partner')) ?? null
  const resolve = createResolver({ allowPrivateNetworks, nameServers: config.DELIVERY_NAME_SERVERS })
  const poster = createPoster({
    guard: createAddressGuard({ allowPrivateNetworks, resolve, ownAddresses }),
    clock: systemClock,
    nowMs: () => performance.now(),
  })
  const samples = sampleOutcomes(options.outcome ?? SAMPLE_NAMES, systemClock())
  try {
    const send = (sign: Sign | null): Promise<Row[]> => sendAll({ url, samples, poster, sign, partnerId })
    printAnswers(options, await (partnerId === null ? send(null) : withSigner(environment, partnerId, send)))
  } finally {
    await poster.close()
  }
}

/** Runs `work` with what signs for a partner; throws a message for a person when there is none such. */
const withSigner = <Result>(
  environment: Environment,
  partnerId: bigint,
  work: (sign: Sign) => Promise<Result>,
): Promise<Result> =>
  useDatabase(environment, async (database, openVault) => {
    const vault = openVault()
    const partner = await findPartner(database, partnerId)
    if (!partner) throw new CommandError(`there is no partner ${partnerId}`)
    const log = createLog({ name: 'gateway', level: 'error' })
    const nowMs = () => performance.now()
    return work(createSigner({ database, vault, retryUntilStopped: (ask) => ask(), nowMs, log }))
  })

/** One after the other, so that what comes second for a payment comes second. */
const sendAll = async (parts: {
  url: CallbackUrl
  samples: readonly SampleOutcome[]
  poster: Poster
  sign: Sign | null
  partnerId: bigint | null
}): Promise<Row[]> => {
  const rows: Row[] = []
  for (const sample of parts.samples) {
    const last = rows.at(-1)
    const webhookId = sample.attempt > 1 && last ? last.webhook_id : `test_${randomBytes(12).toString('hex')}`
    const startedAt = systemClock()
    const signature = await signatureOf(parts, {
      webhook_id: webhookId,
      started_at: startedAt,
      body: sample.body,
    })
    const result = await parts.poster.post({
      url: parts.url,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'mpesa-gateway',
        'webhook-id': webhookId,
        'webhook-timestamp': String(Math.floor(startedAt.getTime() / 1000)),
        'webhook-attempt': String(sample.attempt),
        ...(signature !== null && { 'webhook-signature': signature }),
        'x-gateway-test': sample.name,
      },
      body: sample.body,
    })
    const row = { outcome: sample.name, webhook_id: webhookId, attempt: sample.attempt, ...result }
    rows.push(row)
  }
  return rows
}

const signatureOf = async (
  parts: { sign: Sign | null; partnerId: bigint | null },
  message: Omit<ToSign, 'partner_id'>,
): Promise<string | null> => {
  if (parts.sign === null || parts.partnerId === null) return null
  const { webhook_id, started_at, body } = message
  const signed = await parts.sign({ webhook_id, started_at, body, partner_id: parts.partnerId })
  if (signed.kind === 'impossible') {
    throw new CommandError(
      `the signing secret of partner ${parts.partnerId} cannot be opened: is SECRET_KEY right?`,
    )
  }
  if (signed.kind === 'signed') return signed.signature
  throw new CommandError(
    `partner ${parts.partnerId} has no signing secret: gateway partners signing-secret rotate ${parts.partnerId}`,
  )
}

const printAnswers = (options: TestOptions, rows: readonly Row[]): void => {
  const failures = rows.filter(({ errorClass }) => errorClass !== null).length
  if (failures > 0) process.exitCode = 1
  const shown = rows.map((row) => ({
    outcome: row.outcome,
    webhook_id: row.webhook_id,
    attempt: row.attempt,
    status: row.status,
    error_class: row.errorClass,
    duration_ms: row.durationMs,
  }))
  if (options.json) {
    const answers = rows.map(({ address, answer }) => ({ address, answer }))
    return printJson(shown.map((row, index) => ({ ...row, ...answers[index] })))
  }
  printTable(shown, '')
  printLine('')
  printLine(
    failures === 0
      ? `All ${rows.length} were answered with a 2xx.`
      : `${failures} of ${rows.length} failed: each would be tried again as the schedule says.`,
  )
}
