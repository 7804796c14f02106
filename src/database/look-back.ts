import { type RawBuilder, sql } from 'kysely'
import type { Schema } from './schema/schema.ts'

// Duties are deleted when they are done. While any session holds a snapshot, as a dump does for hours, Postgres removes
// no row that was deleted since, and whoever reads an index of duties from its beginning reads past all of them. So a
// look at what is due begins a little before where the one before it came to. What turns up behind that, since its
// transaction took long, its lease ran out or somebody put it back, is found by the looks that begin further back: the
// later it is, the more rarely these come. Each row that is dead is so read a few times, and not by every look.

/** How far before the end of the last look one begins, ms, and how often, ms. */
const STEPS = [
  { backMs: 100, everyMs: 0 },
  { backMs: 1_000, everyMs: 250 },
  { backMs: 8_000, everyMs: 2_000 },
  { backMs: 64_000, everyMs: 5_000 },
] as const

/** The longest of these. */
const LONGEST_STEP = STEPS.length - 1

/**
 * A look that begins at the very beginning reads all that is dead. Such looks come so rarely that they read so many
 * dead rows a second, and at least once in so many seconds; with little dead, all looks are such.
 */
const DEAD_ROWS_A_SECOND = 5_000
const AT_LEAST_EVERY_SECONDS = 300

/** What a statement says of how far it looked: see `selectLooked`. */
export type Looked = {
  /** The instant up to which nothing that could be seen was passed over, ms, by the clock of Postgres. */
  looked_to_ms: number
  dead_rows: number
}

/** One look at what is due. */
export type Look = {
  /** From when on, ms; null: from the beginning. */
  fromMs: number | null
  /** Says how far it looked; one that failed says nothing, and the next begins where it did. */
  ended(looked: Looked): void
}

/** A look from the very beginning, of whoever remembers nothing. */
export const FROM_BEGINNING: Look = { fromMs: null, ended: () => undefined }

export type LookBack = {
  /** The next look. */
  readonly begin: () => Look
  /** Has the next look begin at the very beginning. */
  readonly reset: () => void
}

/** Decides where looks at the duties of one table begin, or at those of one account in it. `nowMs` is monotonic, ms. */
export const createLookBack = (nowMs: () => number): LookBack => {
  let cameTo: Looked | null = null
  let fromBeginningAtMs = Number.NEGATIVE_INFINITY
  const begunAtMs = STEPS.map(() => Number.NEGATIVE_INFINITY)

  const begin = (): Look => {
    const atMs = nowMs()
    if (cameTo === null || atMs - fromBeginningAtMs >= pauseMsOf(cameTo)) {
      return { fromMs: null, ended: (looked) => end({ looked, atMs, step: LONGEST_STEP, isWhole: true }) }
    }
    const step = STEPS.findLastIndex(({ everyMs }, index) => atMs - (begunAtMs[index] ?? 0) >= everyMs)
    const fromMs = cameTo.looked_to_ms - (STEPS[step]?.backMs ?? 0)
    return { fromMs, ended: (looked) => end({ looked, atMs, step, isWhole: false }) }
  }

  const end = (one: { looked: Looked; atMs: number; step: number; isWhole: boolean }): void => {
    cameTo = one.looked
    begunAtMs.fill(one.atMs, 0, one.step + 1)
    if (one.isWhole) fromBeginningAtMs = one.atMs
  }

  const reset = (): void => {
    cameTo = null
  }
  return { begin, reset }
}

/** How long after a look from the beginning the next one comes, ms. */
const pauseMsOf = ({ dead_rows }: Looked): number =>
  Math.min(dead_rows / DEAD_ROWS_A_SECOND, AT_LEAST_EVERY_SECONDS) * 1000

/** Where a look begins, as an instant of Postgres. */
export const instantOf = ({ fromMs }: Look): string =>
  fromMs === null ? '-infinity' : new Date(fromMs).toISOString()

type Duties = Extract<keyof Schema, `to_${string}`>

/** The columns of `Looked`, for a statement that has looked at duties of a table up to an instant. */
export const lookedTo = (table: Duties, instant: RawBuilder<Date>): RawBuilder<Looked> => sql<Looked>`
  (extract(epoch FROM ${instant}) * 1000)::float8 AS looked_to_ms,
  pg_stat_get_dead_tuples(${sql.lit(table)}::regclass)::float8 AS dead_rows
`
