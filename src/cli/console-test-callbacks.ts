import type { TestCallbacks } from '../console/test-callbacks.ts'
import type { Actor } from '../core/audit/record-audit.ts'
import { SAMPLE_NAMES, sampleOutcomes } from '../core/outbox/sample-outcomes.ts'
import { findPartner } from '../core/partners/partner.ts'
import { noSuchPartner, Refused, wrongField } from '../core/services/refused.ts'
import type { Database } from '../database/connect.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Vault } from '../runtime/seal.ts'
import { leadsToHost } from '../values/callback-host.ts'
import { type CallbackUrl, parseCallbackUrl } from '../values/callback-url.ts'
import { endpointHost } from '../values/endpoint.ts'
import { refuse } from './console-refusals.ts'
import { recordSamples } from './record-samples.ts'
import {
  createSamplePoster,
  createSampleSigner,
  type SampleWay,
  sendSamples,
  summaryOf,
} from './send-samples.ts'

type Parts = { database: Database; log: Log; vault: Vault; sampleWay: SampleWay; samplesWithinMs: number }
type Given = Parameters<TestCallbacks['send']>[0]

/** Makes what sends test callbacks from the console, in the name of `actor`, whom the audit log then has. */
export const createTestCallbacks = (parts: Parts, actor: Actor): TestCallbacks => ({
  outcomes: SAMPLE_NAMES,
  send: (given) => send(parts, actor, given).catch(refuse),
})

const send = async (parts: Parts, actor: Actor, given: Given): ReturnType<TestCallbacks['send']> => {
  const { database, log, vault, sampleWay, samplesWithinMs } = parts
  const { partnerId, outcome } = given
  const partner = await findPartner(database, partnerId)
  if (partner === null) throw noSuchPartner(partnerId)
  const url = readUrl(given, { way: sampleWay, callbackHosts: partner.settings.callbackHosts })
  const samples = sampleOutcomes(outcome === null ? SAMPLE_NAMES : [outcome], systemClock())
  if (samples.length === 0) throw wrongField('outcome', `must be one of ${SAMPLE_NAMES.join(', ')}`)
  const sign = createSampleSigner({ database, vault, log, partnerId })
  const outcomes = outcome === null ? null : [outcome]
  await recordSamples({ database, sign }, { actor, partnerId, url, outcomes })
  const poster = createSamplePoster(sampleWay)
  const startedMs = performance.now()
  const isOver = (): boolean => performance.now() - startedMs > samplesWithinMs
  try {
    const answers = await sendSamples({ url, samples, poster, sign, isOver })
    return { answers, unsent: samples.length - answers.length, summary: summaryOf(answers) }
  } finally {
    await poster.close()
  }
}

/** What a payment of this partner could have as its `callback_url`, at the endpoint that was named. */
const readUrl = (
  { url, host }: Given,
  { way, callbackHosts }: { way: SampleWay; callbackHosts: readonly string[] | null },
): CallbackUrl => {
  const parsed = parseCallbackUrl(url, way)
  if (!parsed.ok) throw wrongUrl(parsed.problem)
  if (host !== null && endpointHost(parsed.value) !== host) throw wrongUrl(`must lead to ${host}`)
  if (callbackHosts !== null && !leadsToHost(parsed.value, callbackHosts))
    throw wrongUrl(`must lead to a host of this partner's: ${callbackHosts.join(', ')}`)
  return parsed.value
}

const wrongUrl = (problem: string): Refused =>
  new Refused('wrong_field', `The URL ${problem}.`, { wrong: { field: 'url', problem } })
