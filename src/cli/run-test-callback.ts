import { SAMPLE_NAMES, sampleOutcomes } from '../core/outbox/sample-outcomes.ts'
import { findPartner } from '../core/partners/partner.ts'
import { Refused } from '../core/services/refused.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { parseCallbackUrl } from '../values/callback-url.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { optional, readId, required, toOperator } from './options.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import { recordSamples } from './record-samples.ts'
import {
  createSamplePoster,
  createSampleSigner,
  failuresIn,
  type SampleAnswer,
  type SignSample,
  sendSamples,
  summaryOf,
} from './send-samples.ts'
import type { TestOptions } from './test-callback.ts'

/** Sends sample deliveries to a partner's endpoint, and prints what came of them. */
export const testCallback = async (environment: Environment, options: TestOptions): Promise<void> => {
  const config = readConfig(await withRunningDatabase(environment), [
    'CALLBACK_ALLOW_HTTP',
    'CALLBACK_ALLOW_PRIVATE_NETWORKS',
    'DELIVERY_NAME_SERVERS',
  ])
  const way = {
    allowHttp: config.CALLBACK_ALLOW_HTTP,
    allowPrivateNetworks: config.CALLBACK_ALLOW_PRIVATE_NETWORKS,
    nameServers: config.DELIVERY_NAME_SERVERS,
  }
  const url = required('--url', parseCallbackUrl(options.url, way))
  const partnerId = optional(options.partner, readId('partner')) ?? null
  const poster = createSamplePoster(way)
  const samples = sampleOutcomes(options.outcome ?? SAMPLE_NAMES, systemClock())
  try {
    const send = (sign: SignSample | null): Promise<SampleAnswer[]> =>
      sendSamples({ url, samples, poster, sign, isOver: () => false })
    if (partnerId === null) return printAnswers(options, await send(null))
    const outcomes = options.outcome ?? null
    const sent = { actor: toOperator(options.by), partnerId, url, outcomes }
    printAnswers(options, await withSigner(environment, sent, send))
  } finally {
    await poster.close()
  }
}

/**
 * Runs `work` with what signs for a partner, once the audit log says who has what `sent` where; throws a message for a
 * person when there is none such.
 */
const withSigner = <Result>(
  environment: Environment,
  sent: Parameters<typeof recordSamples>[1],
  work: (sign: SignSample) => Promise<Result>,
): Promise<Result> =>
  useDatabase(environment, async (database, openVault) => {
    const { partnerId } = sent
    const vault = openVault()
    const partner = await findPartner(database, partnerId)
    if (!partner) throw new CommandError(`there is no partner ${partnerId}`)
    const log = createLog({ name: 'gateway', level: 'error' })
    const sign = createSampleSigner({ database, vault, log, partnerId })
    try {
      await recordSamples({ database, sign }, sent)
    } catch (error) {
      throw error instanceof Refused ? new CommandError(error.message) : error
    }
    return work(sign)
  })

const printAnswers = (options: TestOptions, answers: readonly SampleAnswer[]): void => {
  if (failuresIn(answers) > 0) process.exitCode = 1
  const shown = answers.map((one) => ({
    outcome: one.outcome,
    webhook_id: one.webhookId,
    attempt: one.attempt,
    status: one.status,
    error_class: one.errorClass,
    duration_ms: one.durationMs,
  }))
  if (options.json) {
    const ends = answers.map(({ address, answer }) => ({ address, answer }))
    return printJson(shown.map((row, index) => ({ ...row, ...ends[index] })))
  }
  printTable(shown, '')
  printLine('')
  printLine(summaryOf(answers))
}
