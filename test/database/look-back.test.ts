import { describe, expect, it } from 'vitest'
import { createLookBack, type Look } from '../../src/database/look-back.ts'

/** The clock of Postgres at the instant 0 of the process's, ms. */
const EPOCH_MS = 1_800_000_000_000

const HOUR_MS = 3_600_000

/** More than any look reads: so many that looks from the beginning come as rarely as they ever do. */
const MANY = 10_000_000

const startLooking = () => {
  let atMs = 0
  const lookBack = createLookBack(() => atMs)
  const look = (deadRows: number, lookedToMs = EPOCH_MS + atMs): Look => {
    const one = lookBack.begin()
    one.ended({ looked_to_ms: lookedToMs, dead_rows: deadRows })
    return one
  }
  return { ...lookBack, look, pass: (ms: number) => (atMs += ms) }
}

describe('a look at what is due', () => {
  it('begins at the beginning while nothing is dead', () => {
    const { look, pass } = startLooking()
    const looks = Array.from({ length: 5 }, () => {
      pass(10)
      return look(0).fromMs
    })
    expect(looks).toEqual([null, null, null, null, null])
  })

  it('begins there the more rarely the more is dead, and at least every five minutes', () => {
    for (const [dead, everyMs] of [
      [5_000, 1_000],
      [100_000, 20_000],
      [MANY, 300_000],
    ] as const) {
      const { look, pass } = startLooking()
      expect(look(dead).fromMs).toBeNull()
      pass(everyMs - 1)
      expect(look(dead).fromMs).not.toBeNull()
      pass(1)
      expect(look(dead).fromMs).toBeNull()
    }
  })

  it('begins where one that failed began, and at the beginning when that is asked for', () => {
    const { look, begin, reset, pass } = startLooking()
    expect(begin().fromMs).toBeNull()
    expect(look(MANY).fromMs).toBeNull()
    pass(100_000)
    const failed = begin().fromMs
    expect(failed).toBe(EPOCH_MS - 64_000)
    expect(look(MANY).fromMs).toBe(failed)
    expect(look(MANY).fromMs).toBe(EPOCH_MS + 100_000 - 100)
    reset()
    expect(look(MANY).fromMs).toBeNull()
  })

  it('follows the clock of Postgres when that is set back', () => {
    const { look, pass } = startLooking()
    look(MANY)
    pass(10)
    look(MANY, EPOCH_MS - HOUR_MS)
    pass(10)
    expect(look(MANY).fromMs).toBeLessThan(EPOCH_MS - HOUR_MS)
  })

  it('begins at what it left, however long that waits', () => {
    const { look, pass } = startLooking()
    look(MANY, EPOCH_MS - HOUR_MS)
    pass(60_000)
    expect(look(MANY, EPOCH_MS - HOUR_MS).fromMs).toBeLessThan(EPOCH_MS - HOUR_MS)
    pass(60_000)
    expect(look(MANY).fromMs).toBeLessThan(EPOCH_MS - HOUR_MS)
  })

  it('finds what turns up late, the later it is the later, and reads what is dead a few times', () => {
    for (const pauseMs of [20, 200, 500]) {
      const { look, pass } = startLooking()
      let readMs = 0
      const looks: { atMs: number; fromMs: number }[] = []
      for (let atMs = 0; atMs < 10 * 60_000; atMs += pauseMs) {
        const { fromMs } = look(MANY)
        looks.push({ atMs, fromMs: (fromMs ?? 0) - EPOCH_MS })
        if (fromMs !== null) readMs += EPOCH_MS + atMs - fromMs
        pass(pauseMs)
      }
      for (const [lateMs, withinMs] of [
        [100, 0],
        [700, 250],
        [5_900, 2_000],
        [58_000, 5_000],
        [HOUR_MS, 300_000],
      ] as const) {
        // Due so long before a look came by, and to be seen only after it.
        for (const { atMs } of looks.filter(({ atMs }) => atMs > 120_000 && atMs < 240_000)) {
          const found = looks.find((one) => one.atMs > atMs && one.fromMs <= atMs - lateMs)
          expect((found?.atMs ?? Number.NaN) - atMs).toBeLessThanOrEqual(withinMs + 2 * pauseMs)
        }
      }
      expect(readMs / (10 * 60_000)).toBeLessThan(40)
    }
  })
})
