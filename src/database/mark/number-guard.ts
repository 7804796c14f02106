import { sql } from 'kysely'
import type { Clock } from '../../runtime/clock.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import type { Database } from '../connect.ts'
import { DatabaseUnavailable, isOutage } from '../outage.ts'
import { ensurePartitionsOf } from '../partitions.ts'
import type { Numbers } from './mark.ts'
import { type Alarm, alarmOf, type Found, highest, judge, lowestOf, type Verdict } from './mark.ts'
import { openMarkFile, quarantineDamaged, readMarks } from './mark-files.ts'
import {
  adopted,
  alarmed,
  committed,
  createMarkKeeper,
  followed,
  type MarkKeeper,
  PAYMENT_IDS,
} from './mark-keeper.ts'
import { readFound } from './read-found.ts'
import { reportAlarm } from './report-alarm.ts'

/** What payments are accepted by, so that no id is given out that was given out before. */
export type PaymentNumbers = {
  /** The highest id that is known to have been given out: what Postgres gives next must be above it. */
  highest(): bigint
  /** Notes ids under which payments were committed. Once it has resolved, clients may get them. */
  given(ids: readonly bigint[]): Promise<void>
  /** Says that Postgres gave one that is not above: resolves once it gives none of these any more. */
  refused(): Promise<void>
}

/** Keeps a process's mark, and a database from giving out what was given out before. */
export type NumberGuard = {
  /** Looks at a new connection before anything is drawn on it. */
  readonly onConnect: (connection: Database) => Promise<void>
  /**
   * Looks at the database and, when it is not the one of before, raises its sequences past all that may have been given
   * out; again and again, to follow what others draw. Rejects with an outage, also when the database is not whole.
   */
  check(database: Database): Promise<void>
  numbersOf(database: Database): PaymentNumbers
  /** Resolves once all that is known is on the disk, or the disk refused it, which is logged. Asks no database. */
  flush(): Promise<void>
  /** Why an operator is to look; null: for nothing. */
  alarm(): Alarm | null
}

/**
 * Takes over the marks of the folder, and guards by what they say. `name` is of this process alone, whoever shares the
 * folder. Rejects when the folder cannot be written.
 */
export const openNumberGuard = async (options: {
  folder: string
  name: string
  log: Log
  clock: Clock
  nowMs: () => number
}): Promise<NumberGuard> => {
  const { folder, log } = options
  const file = openMarkFile(folder, options.name)
  const { mark, damaged } = await readMarks(folder)
  for (const path of damaged) log.error({ event: 'mark_damaged', file: await quarantineDamaged(path) })
  const first = mark && (await file.takeOver(mark))
  const { clock, nowMs } = options
  return createGuard({ keeper: createMarkKeeper({ file, first, log, clock }), log, clock, nowMs })
}

type Parts = { keeper: MarkKeeper; log: Log; clock: Clock; nowMs: () => number }

const createGuard = (parts: Parts): NumberGuard => {
  const { keeper } = parts
  const exclusively = createQueue()
  const report = reportAlarm(parts.log)
  let isAtWork = false

  const look = async (connection: Database, isNew: boolean): Promise<void> => {
    // What was known before the database was asked: what becomes known meanwhile may be younger than its answer.
    const before = keeper.known()
    const found = await readFound(connection, before.mark?.newestPayment ?? null)
    if (found === null) {
      // Whoever starts says it better: the schema is older than this release.
      if (isNew && !isAtWork) return
      throw new DatabaseUnavailable(
        new Error('the database lacks tables of this release: is it being restored?'),
      )
    }
    await act(parts, { connection, found, verdict: judge(before, found) })
    isAtWork = true
    report(keeper.known().mark?.alarm ?? null)
  }

  const check = (database: Database, isNew = false): Promise<void> =>
    // The connection first: the holder of the lock must not wait for a connection whose owner waits for the lock.
    database.connection().execute((one) => exclusively(() => notDefect(look(one, isNew))))

  return {
    onConnect: (connection) => check(connection, true),
    check,
    numbersOf: (database) => createPaymentNumbers(keeper, () => check(database)),
    flush: () => keeper.flush(),
    alarm: () => keeper.known().mark?.alarm ?? null,
  }
}

type Looked = { connection: Database; found: Found; verdict: Verdict }

/** Does what the verdict asks for. */
const act = async (parts: Parts, looked: Looked): Promise<void> => {
  const { keeper } = parts
  const { found, verdict } = looked
  if (verdict.kind === 'first') keeper.set(adopted(keeper.known(), found, found.numbers))
  else if (verdict.kind === 'same') keeper.set(followed(keeper.known(), found, parts.nowMs()))
  else return raise(parts, looked)
  await keeper.flush()
}

const raise = async (parts: Parts, { connection, found, verdict }: Looked): Promise<void> => {
  const { keeper, log } = parts
  const { mark, drawn } = keeper.known()
  const lowest = lowestOf(highest(mark?.ceilings ?? {}, drawn), found.numbers)
  const upTo = lowest[PAYMENT_IDS] ?? 0n
  const alarm = alarmOf(verdict, found, { at: parts.clock(), upTo })
  if (alarm !== null) {
    // First of all: when this process dies half-way, the next one finds it.
    keeper.set(alarmed(keeper.known(), alarm))
    await keeper.flush()
  }
  await raiseNumbers(connection, lowest)
  keeper.set(adopted(keeper.known(), found, lowest))
  await keeper.flush()
  const paymentsFrom = Number(upTo) + 1
  if (verdict.kind === 'moved') log.info({ event: 'database_moved', payments_from: paymentsFrom })
  else log.warn({ event: 'numbers_raised', payments_from: paymentsFrom })
}

const createPaymentNumbers = (keeper: MarkKeeper, check: () => Promise<void>): PaymentNumbers => ({
  highest: () => keeper.known().drawn[PAYMENT_IDS] ?? 0n,
  given: async (ids) => {
    const newest = ids.reduce((one, other) => (one > other ? one : other), 0n)
    if (newest === 0n) return
    keeper.set(committed(keeper.known(), newest))
    // Ceilings are raised long before: nobody waits for the disk as a rule.
    if (newest > (keeper.written()?.ceilings[PAYMENT_IDS] ?? 0n)) await keeper.flush()
  },
  refused: check,
})

/** Runs one piece of work after the other. */
const createQueue = (): (<Result>(work: () => Promise<Result>) => Promise<Result>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work, work)
    last = result.catch(() => undefined)
    return result
  }
}

/** Whatever goes wrong with a look, such as a standby that knows nothing for certain: the database is not ready. */
const notDefect = (look: Promise<void>): Promise<void> =>
  look.catch((error: unknown) => {
    if (isOutage(error)) throw error
    throw new DatabaseUnavailable(error)
  })

/**
 * Lets sequences give no number up to `lowest` any more; one that is above already stays. What the numbers that follow
 * need is made before. Safe to repeat, and to run from several processes at once, beside processes that give numbers
 * out.
 */
export const raiseNumbers = async (database: Database, lowest: Numbers): Promise<void> => {
  crashPoint('raise_numbers.before_commit')
  await ensurePartitionsOf(database, lowest)
  for (const [sequence, number] of Object.entries(lowest)) {
    // One statement each: a transaction with several would wait for one that drew the same numbers in another order.
    await sql`SELECT raise_sequence(${sequence}::text::regclass, ${number})`.execute(database)
  }
  crashPoint('raise_numbers.after_commit')
}
