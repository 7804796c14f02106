import { readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { type Comparison, compareLedgers } from '../faults/ledgers.ts'
import { letTimePass, openDuties } from '../faults/quiet.ts'
import { type ReleaseName, type Stage, startLoad } from './two-releases-stage.ts'

// The way up and the way back, each step under load, and each waiting for what it wants to see and for nothing else:
//
//   old alone → `migrate` of the new release → old alone on the new schema → both → back to old alone on the new schema
//
// While both are there, requests and callbacks go to either in turn, each release's `dispatch` is once the only one, and
// callbacks that one release has kept on the disk are brought in by the other.

/** What is so once all is quiet. */
export type Played = Comparison & {
  /** Requests and callbacks that each release has answered with 200. */
  served: Record<ReleaseName, { requests: number; callbacks: number }>
}

/** Something went wrong that no waiting mends. */
export class Broken extends Error {
  override name = 'Broken'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** How long a step may take on a loaded machine, ms. */
const STEP_MS = 90_000

/** Longer than every lease and pause, seconds. */
const LONG_SECONDS = 7_200

/** Payments of each step that must have been answered, and delivered, before the next one begins. */
const STEP = 12

/** Callbacks that are on the disk of a process that is killed. */
const SPOOLED = 3

/** The first half of the way: what the release before does before and after `migrate`. Throws `Broken`. */
const playMigration = async (stage: Stage): Promise<void> => {
  await stage.start('old serve')
  await stage.start('old dispatch')
  stage.proxy.leadTo([stage.replica('old')])
  await progress(stage, ['old'])
  await stage.migrate('new')
  await progress(stage, ['old'])
}

/** The first half of the way with a migration that breaks it: throws `Broken` with what broke. */
export const playBreakingMigration = async (stage: Stage): Promise<void> => {
  await playMigration(stage)
  // What was under way before the migration may be all that the step waited for.
  await until(stage, 'the migration breaks something', () => false)
}

/** The whole way, to the comparison of the ledgers. Throws `Broken`. */
export const playTwoReleases = async (stage: Stage): Promise<Played> => {
  const load = startLoad(stage)
  try {
    await playMigration(stage)
    await playBeside(stage, { leaving: 'old', coming: 'new' })
    await progress(stage, ['new'])
    await playBeside(stage, { leaving: 'new', coming: 'old' })
    await progress(stage, ['old'])
  } finally {
    load.end()
  }
  await Promise.race([load.answered(), pause(STEP_MS, undefined, { ref: false })])
  await finish(stage)
  const comparison = await compareLedgers(stage)
  const problems = [...stage.problems(), ...comparison.problems, ...(await lostReceipts(stage))]
  return { ...comparison, problems, served: { old: servedBy(stage, 'old'), new: servedBy(stage, 'new') } }
}

/** One release comes beside the other and takes its place. */
const playBeside = async (
  stage: Stage,
  { leaving, coming }: { leaving: ReleaseName; coming: ReleaseName },
): Promise<void> => {
  await stage.start(`${coming} serve`)
  await stage.start(`${coming} dispatch`)
  const both = [stage.replica('old'), stage.replica('new')]
  stage.proxy.leadTo(both)
  await progress(stage, ['old', 'new'])
  // What either says is due comes to one dispatcher, first of the one release, then of the other.
  await stage.stop(`${leaving} dispatch`)
  await progress(stage, ['old', 'new'])
  await stage.start(`${leaving} dispatch`)
  await stage.stop(`${coming} dispatch`)
  await progress(stage, ['old', 'new'])
  await stage.start(`${coming} dispatch`)
  await stage.stop(`${leaving} dispatch`)
  await handOverSpool(stage, { leaving, coming })
}

/** `leaving` keeps callbacks on its disk, for it reaches no Postgres, and is killed; `coming` brings them in. */
const handOverSpool = async (
  stage: Stage,
  { leaving, coming }: { leaving: ReleaseName; coming: ReleaseName },
): Promise<void> => {
  const { proxy } = stage
  proxy.leadTo([stage.replica(coming)], [stage.replica(leaving)])
  proxy.holdCallbacks()
  await until(stage, 'callbacks wait at the proxy', () => proxy.waiting() >= SPOOLED)
  stage.links[leaving].block()
  const before = servedBy(stage, leaving).callbacks
  proxy.letCallbacksIn()
  await until(
    stage,
    `${leaving} keeps callbacks`,
    () => servedBy(stage, leaving).callbacks >= before + SPOOLED,
  )
  if ((await spooled(stage)) === 0) throw new Broken([`${leaving} kept no callback on its disk`])
  await stage.kill(`${leaving} serve`)
  proxy.leadTo([stage.replica(coming)])
  stage.links[leaving].open()
  await until(stage, `${coming} brings in what ${leaving} kept`, async () => (await spooled(stage)) === 0)
}

/** Lets every release named answer some more requests and callbacks, and partners be sent some more outcomes. */
const progress = async (stage: Stage, releases: readonly ReleaseName[]): Promise<void> => {
  const { received } = stage.world.receiver
  const before = releases.map((release) => ({ release, ...servedBy(stage, release) }))
  const delivered = received.length
  const isMore = (): boolean =>
    before.every(({ release, requests, callbacks }) => {
      const now = servedBy(stage, release)
      return now.requests >= requests + STEP / releases.length && now.callbacks >= callbacks + STEP / 4
    })
  await until(stage, `${releases.join(' and ')} go on`, () => isMore() && received.length >= delivered + STEP)
}

/** Waits until something is so; throws `Broken` when that is in vain. */
const until = async (stage: Stage, what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
  const untilMs = performance.now() + STEP_MS
  while (!(await isSo())) {
    const problems = stage.problems()
    if (problems.length > 0) throw new Broken(problems)
    if (performance.now() > untilMs) throw new Broken([`it was waited for in vain that ${what}`])
    await pause(20)
  }
}

const servedBy = (stage: Stage, release: ReleaseName): { requests: number; callbacks: number } => {
  const answers = stage.proxy.answers.filter(({ replica, status }) => replica === release && status === 200)
  const callbacks = answers.filter(({ isCallback }) => isCallback).length
  return { requests: answers.length - callbacks, callbacks }
}

const spooled = async (stage: Stage): Promise<number> =>
  (await readdir(stage.spoolFolder)).filter((name) => /\.(open|sealed)$/.test(name)).length

/** Ends all, lets every lease run out, and waits with both releases running until nothing is left to be done. */
const finish = async (stage: Stage): Promise<void> => {
  const names = ['old serve', 'old dispatch', 'new serve', 'new dispatch'] as const
  for (const name of names) await stage.stop(name)
  await letTimePass(stage.database, LONG_SECONDS)
  for (const name of names) await stage.start(name)
  stage.proxy.leadTo([stage.replica('old'), stage.replica('new')])
  await until(stage, 'everything is done', async () => {
    const open = Object.values(await openDuties(stage.database))
    return open.every((count) => count === 0) && (await spooled(stage)) === 0
  })
}

/** A payment whose callback was acknowledged with a receipt has it. */
const lostReceipts = async (stage: Stage): Promise<string[]> => {
  const payments = await stage.database.selectFrom('payments').select(['id', 'receipt']).execute()
  const receipts = new Set(payments.map(({ receipt }) => receipt))
  const delivered = (await stage.world.prompts()).flatMap(({ callbacks }) =>
    callbacks.filter(({ status, result_code: code }) => status === 200 && code === 0),
  )
  return delivered.flatMap(({ body }) => {
    const receipt = /"MpesaReceiptNumber","Value":"(\w+)"/.exec(body)?.[1]
    return receipt === undefined || receipts.has(receipt) ? [] : [`no payment has the receipt ${receipt}`]
  })
}
