import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import { type Known, knownOf } from './known.ts'
import type { Mark } from './mark.ts'
import type { MarkFile } from './mark-files.ts'
import { isSameMark } from './mark-record.ts'

/** Keeps what is known, in memory and on the disk. */
export type MarkKeeper = {
  known(): Known
  set(known: Known): void
  /** Resolves when all that is known is on the disk, or was refused by it, which is told. */
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
