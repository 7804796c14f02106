import { setTimeout as pause } from 'node:timers/promises'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import type { Database } from '../../src/database/connect.ts'
import { startTestGateway } from '../support/gateway.ts'
import { SHORT_TIMES } from '../support/settings.ts'
import type { CrashPoint } from './crash-points.ts'
import { type Comparison, compareLedgers } from './ledgers.ts'
import { createPartnerClient, type PartnerClient } from './partner-client.ts'
import { type Mortal, startMortal } from './processes.ts'
import { letTimePass, openDuties } from './quiet.ts'

/** What became of one crash point. */
export type PointResult = {
  point: string
  /** What ended its process. */
  endedBy: number | string | null
  /** How many payments were asked for meanwhile, how many of them were never answered, and what states they are in. */
  asked: number
  unanswered: number
  states: string[]
}

export type ChainResult = { points: PointResult[]; comparison: Comparison }

/** How long a process that listens may take to come to its crash point, and then everything to be finished, ms. */
const REACH_MS = 30_000
const FINISH_MS = 45_000

/** How long one round of payments may take to bring it there before another is asked for, ms. */
const ROUND_MS = 2_000

/** Longer than every lease and pause, seconds. */
const LONG_SECONDS = 3_600

const SETTINGS = {
  ...SHORT_TIMES,
  // No way is cut here: an answer that is late says that the machine is loaded, and would have the account held for long.
  DARAJA_TIMEOUT_MS: '20000',
}

/**
 * Kills a process of one deployment at one crash point after the other: each time payments are asked for, the process comes
 * to its point and is gone. What it left is taken over by the next process, which is armed with the next point only: an
 * unarmed one of its kind beside it would share its work, and could always be first. At the end everything is killed, every
 * lease runs out, `serve` and `dispatch` start unarmed, and all must finish.
 */
export const runChain = async (
  command: 'serve' | 'dispatch',
  points: readonly CrashPoint[],
): Promise<ChainResult> => {
  await using open = new AsyncDisposableStack()
  const gateway = open.adopt(await startTestGateway({ settings: SETTINGS }), (one) => one.close())
  const { database, databaseUrl, httpUrl, spoolFolder, world } = gateway
  const client = open.adopt(
    createPartnerClient({
      httpUrl: () => httpUrl,
      apiKey: gateway.apiKey,
      callbackUrl: `${world.receiver.url}/outcome`,
    }),
    (one) => one.close(),
  )
  const survivor = await gateway.start(command === 'dispatch' ? 'serve' : 'dispatch')
  const results: PointResult[] = []
  const asked: Promise<void>[] = []
  for (const point of points) {
    const starting = Promise.withResolvers<unknown>()
    starting.promise.catch(() => undefined)
    await using prepared = await point.prepare({
      database,
      databaseUrl,
      natsUrl: gateway.stream?.natsUrl ?? '',
      httpUrl,
      spoolFolder,
      started: starting.promise,
    })
    const mortal = startMortal(command, { ...gateway.settings, ...prepared.environment }, point.path)
    starting.resolve(mortal.started)
    const endedBy = await askUntilDead({ client, point, mortal, asked })
    await mortal.started.then((process) => process?.end('SIGKILL'))
    results.push({ point: point.name, endedBy, asked: 0, unanswered: 0, states: [] })
  }
  await survivor.end('SIGKILL')
  await letTimePass(database, LONG_SECONDS)
  await Promise.all([gateway.start('serve'), gateway.start('dispatch')])
  await finish({ database, spoolFolder, asked })
  for (const result of results) Object.assign(result, await statesOf(database, result.point, client))
  return { points: results, comparison: await compareLedgers({ database, client, world }) }
}

/** Asks for the point's payments, again and again until the process is dead: some points take more than one round. */
const askUntilDead = async (parts: {
  client: PartnerClient
  point: CrashPoint
  mortal: Mortal
  asked: Promise<void>[]
}): Promise<number | string | null> => {
  let untilMs = Number.POSITIVE_INFINITY
  for (let round = 0; performance.now() < untilMs; round += 1) {
    parts.asked.push(...ask(parts.client, parts.point, round))
    // Until it listens, the first round is asked for again and again.
    await parts.mortal.started
    if (round === 0) untilMs = performance.now() + REACH_MS
    const late = pause(ROUND_MS, undefined, { ref: false })
    const endedBy = await Promise.race([parts.mortal.ended, late])
    if (endedBy !== undefined) return endedBy
  }
  return 'nothing in time'
}

const ask = (client: PartnerClient, point: CrashPoint, round: number): Promise<void>[] =>
  point.payments.map(({ phone, amountKes }, index) =>
    client.ask({ key: `${point.name} ${round}.${index}`, phone, amountKes: amountKes ?? 150 }),
  )

/** Waits until every request is answered and nothing is left to be done; after the deadline the comparison tells what is. */
const finish = async (options: {
  database: Database
  spoolFolder: string
  asked: readonly Promise<void>[]
}): Promise<void> => {
  const done = Promise.all(options.asked).then(async () => {
    for (;;) {
      const open = Object.values(await openDuties(options.database))
      const spooled = await listRecordFiles(options.spoolFolder)
      if (open.every((count) => count === 0) && spooled.length === 0) return
      await pause(50)
    }
  })
  await Promise.race([done, pause(FINISH_MS, undefined, { ref: false })])
}

const statesOf = async (
  database: Database,
  point: string,
  client: PartnerClient,
): Promise<Omit<PointResult, 'point' | 'endedBy'>> => {
  const rows = await database
    .selectFrom('payments')
    .select('state')
    .where('reference', 'like', `${point} %`)
    .orderBy('id')
    .execute()
  const wishes = client.wishes.filter(({ key }) => key.startsWith(`${point} `))
  const unanswered = wishes.filter(({ key }) => !client.answered.has(key)).length
  return { asked: wishes.length, unanswered, states: rows.map(({ state }) => state) }
}
