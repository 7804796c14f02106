import { setTimeout as pause } from 'node:timers/promises'
import { ARROWS } from '../../../src/core/payments/states.ts'
import type { Database } from '../../../src/database/connect.ts'
import { addPartner } from '../../support/partner.ts'
import { createFaults } from '../commit-faults.ts'
import { makePlan, seededRandom } from '../plan.ts'
import type { OwnServices } from '../services.ts'
import { startStage } from '../stage.ts'
import { checkHistory } from './check-history.ts'
import { playClients } from './clients.ts'
import type { Call } from './history.ts'

export type HistoryResult = {
  history: Call[]
  /** How many calls were answered, and of how many nothing is known. */
  answered: number
  unknown: number
  payments: number
  problems: string[]
}

/** A way into a deployment: where a partner asks next, whose keys it has, and where its outcomes are delivered. */
type PartnerAccess = { httpUrl: () => string; apiKey: string; callbackUrl: string; database: Database }

/** Lets clients use a deployment until `until` resolves or `calls` were made, and judges what they wrote down. */
export const judgeClients = async (options: {
  access: PartnerAccess
  seed: number
  until: Promise<unknown>
  calls?: number
}): Promise<HistoryResult> => {
  const { access, seed, until, calls = Infinity } = options
  const stranger = await addPartner(access.database, { name: 'Duka la Otieno' })
  const ending = new AbortController()
  const playing = playClients({
    ...access,
    apiKeys: { owner: access.apiKey, stranger: stranger.apiKey },
    random: seededRandom(seed),
    signal: ending.signal,
    calls,
  })
  await Promise.race([until, playing])
  ending.abort()
  const history = await playing
  return { ...countOf(history), history, problems: checkHistory(history, ARROWS) }
}

/** How many of a plan's faults there are to each that happens: a history needs answers in between. */
const EVERY = 3

/** After the faults all is quiet for so long, ms: who reads then must see everything. */
const QUIET_MS = 1_000

/** Judges what clients see of a deployment of two `serve` while the faults of the seed's plan happen. */
export const runHistory = async (options: {
  services: OwnServices
  seed: number
  seconds: number
}): Promise<HistoryResult> => {
  const { services, seed, seconds } = options
  const name = `histories_${seed}_${process.pid}`
  const stage = await startStage({ services, name, random: seededRandom(seed) })
  try {
    await services.nats.keepCopy()
    const commit = createFaults({ services, stage })
    const plan = makePlan(seed, seconds).faults.filter((_fault, index) => index % EVERY === 0)
    const faults = plan.map(({ atMs, fault }) => pause(atMs).then(() => commit(fault)))
    const until = Promise.all([...faults, pause(seconds * 1000)]).then(() => pause(QUIET_MS))
    const result = await judgeClients({ access: stage, seed, until })
    return { ...result, problems: [...result.problems, ...stage.defects()] }
  } finally {
    await stage.close()
  }
}

const countOf = (history: readonly Call[]): Pick<HistoryResult, 'answered' | 'unknown' | 'payments'> => {
  const unknown = history.filter(({ answer }) => answer.kind === 'unknown').length
  const made = history.filter(({ kind, answer }) => kind === 'request' && answer.kind === 'success')
  return { answered: history.length - unknown, unknown, payments: made.length }
}
