import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import {
  type Alarm,
  type Found,
  highest,
  isOver,
  type Mark,
  mergeAlarms,
  type Numbers,
  raiseCeilings,
} from './mark.ts'
import { isSameMark, type MarkFile } from './mark-files.ts'

/** Keeps what is known, in memory and on the disk. */
export type MarkKeeper = {
  known(): Known
  set(known: Known): void
  /** Resolves when all that is known is on the disk, or the disk refused it, which is logged. */
  flush(): Promise<void>
  /** What is on the disk. */
  written(): Mark | null
}

/** `first`: what the disk holds. */
export const createMarkKeeper = (options: {
  file: MarkFile
  first: Mark | null
  log: Log
  clock: Clock
}): MarkKeeper => {
  const { file, log } = options
  let known = knownOf(options.first)
  let written = options.first
  let isRefused = false
  let last: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    if (known.mark === null || (written !== null && isSameMark(known.mark, written))) return
    // After a clock was set back too: the last one written is the latest.
    const writtenAtMs = Math.max(options.clock().getTime(), (written?.writtenAtMs ?? 0) + 1)
    const mark = { ...known.mark, writtenAtMs }
    try {
      await file.write(mark)
      written = mark
      if (isRefused) log.warn({ event: 'mark_written_again' })
      isRefused = false
    } catch (error) {
      // A full disk stops no payment: as long as this process lives, it knows.
      if (!isRefused) log.error({ event: 'mark_not_written', err: error })
      isRefused = true
    }
  }

  const flush = (): Promise<void> => {
    last = last.then(write)
    return last
  }
  return {
    known: () => known,
    set: (next) => {
      known = next
    },
    flush,
    written: () => written,
  }
}

/** What a process knows: its mark, and what is not yet certain enough for it. */
export type Known = {
  /** Null until there is one. */
  mark: Mark | null
  /** What sequences were seen to have given, durable or not. */
  drawn: Numbers
  /** What they had given at a moment, ms; it is in the mark once that is certainly durable. */
  looked: { atMs: number; numbers: Numbers } | null
}

/** From when on what a sequence was seen to have given is durable, ms: Postgres writes its log out within less. */
const DURABLE_AFTER_MS = 900

/** The sequence that ids of payments are from. */
export const PAYMENT_IDS = 'payments_id_seq'

export const knownOf = (mark: Mark | null): Known => ({ mark, drawn: mark?.seen ?? {}, looked: null })

/** What is known once a database is the one, whose sequences give nothing up to `numbers` any more. */
export const adopted = (known: Known, found: Found, numbers: Numbers): Known => {
  const drawn = highest(known.drawn, numbers)
  const mark: Mark = {
    writtenAtMs: known.mark?.writtenAtMs ?? 0,
    identity: found.identity,
    lineage: found.epochs[0] ?? '',
    seen: highest(known.mark?.seen ?? {}, numbers),
    ceilings: raiseCeilings(known.mark?.ceilings ?? {}, drawn),
    newestPayment: found.newestPayment,
    alarm: known.mark?.alarm ?? null,
  }
  return { mark, drawn, looked: null }
}

/** What is known after another look at the same database. */
export const followed = (known: Known, found: Found, nowMs: number): Known => {
  const { mark, looked } = known
  if (mark === null) return known
  const drawn = highest(known.drawn, found.numbers)
  const durable = looked !== null && nowMs - looked.atMs >= DURABLE_AFTER_MS ? looked.numbers : null
  return {
    mark: {
      ...mark,
      identity: found.identity,
      seen: durable === null ? mark.seen : highest(mark.seen, durable),
      ceilings: raiseCeilings(mark.ceilings, drawn),
      newestPayment: larger(mark.newestPayment, found.newestPayment),
      alarm: mark.alarm && !isOver(mark.alarm, found) ? mark.alarm : null,
    },
    drawn,
    looked: looked === null || durable !== null ? { atMs: nowMs, numbers: found.numbers } : looked,
  }
}

/** What is known once payments were committed, the newest under this id. */
export const committed = (known: Known, newest: bigint): Known => {
  const numbers = { [PAYMENT_IDS]: newest }
  const drawn = highest(known.drawn, numbers)
  const mark = known.mark && {
    ...known.mark,
    seen: highest(known.mark.seen, numbers),
    ceilings: raiseCeilings(known.mark.ceilings, drawn),
    newestPayment: larger(known.mark.newestPayment, newest),
  }
  return { ...known, drawn, mark }
}

/** What is known once there is an alarm; of one that was not over, what is missing stays. */
export const alarmed = (known: Known, alarm: Alarm): Known => ({
  ...known,
  mark: known.mark && { ...known.mark, alarm: mergeAlarms(alarm, known.mark.alarm) },
})

const larger = (one: bigint | null, other: bigint | null): bigint | null => {
  if (one === null || other === null) return one ?? other
  return one > other ? one : other
}
