import { beforeEach, describe, expect, it } from 'vitest'
import { createOverload, type Overload } from '../../../src/core/overload/overload.ts'
import { createLog } from '../../../src/runtime/log.ts'

const AFTER_MS = 5_000
const TTL_MS = 120_000
const LOOK_MS = 250
const STEP_MS = 10

const FLOODER = 1n
const QUIET = 2n

type Seen = ReturnType<typeof nothingSeen>

const nothingSeen = () => ({
  pushed: 0,
  longestMs: 0,
  accepted: 0,
  refused: new Map<bigint, number>(),
  waits: new Set<number>(),
})

/** An account that takes so many pushes a second, in rounds, played in steps; and the processes that accept for it. */
const createPlay = (options: { perSecond: number; processes?: number; roundMs?: number }) => {
  const { processes: count = 1, roundMs = 100 } = options
  const lines: Record<string, unknown>[] = []
  const log = createLog({
    name: 'test',
    level: 'info',
    to: { write: (line) => lines.push(JSON.parse(line)) },
  })
  let { perSecond } = options
  let nowMs = 1_000_000
  let seed = 7
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const processes: Overload[] = Array.from({ length: count }, () =>
    createOverload({ afterMs: AFTER_MS, submitTtlMs: TTL_MS, nowMs: () => nowMs, random, log }),
  )
  /** When those that wait were accepted, ms. */
  const queue: number[] = []
  const owed = { pushes: 0, requests: new Map<bigint, number>() }
  let requests = 0

  const ask = (partnerId: bigint, seen: Seen): void => {
    const process = processes[requests % count]
    requests += 1
    const waitSeconds = process?.ask({ partnerId, accountId: 0n }) ?? null
    if (waitSeconds === null) {
      process?.accepted(0n)
      queue.push(nowMs)
      seen.accepted += 1
    } else {
      seen.refused.set(partnerId, (seen.refused.get(partnerId) ?? 0) + 1)
      seen.waits.add(waitSeconds)
    }
  }
  const askAll = (rates: Map<bigint, number>, seen: Seen): void => {
    for (const [partnerId, rate] of rates) {
      // Each at a moment of its own.
      let due = owed.requests.get(partnerId) ?? (Number(partnerId) * 0.618) % 1
      for (due += (rate * STEP_MS) / 1_000; due >= 1; due -= 1) ask(partnerId, seen)
      owed.requests.set(partnerId, due)
    }
  }
  const push = (seen: Seen): void => {
    if (nowMs % roundMs === 0) owed.pushes = (owed.pushes % 1) + (perSecond * roundMs) / 1_000
    for (; owed.pushes >= 1 && queue.length > 0; owed.pushes -= 1) {
      seen.pushed += 1
      seen.longestMs = Math.max(seen.longestMs, nowMs - (queue.shift() ?? nowMs))
    }
  }
  const look = (isHeld: boolean): void => {
    const [first] = queue
    const waits = new Map(first === undefined ? [] : [[0n, { waitedMs: Math.max(1, nowMs - first), isHeld }]])
    for (const process of processes) process.observe(waits)
  }

  /** So many seconds in which partners ask so often a second, and what became of it. */
  const play = (
    seconds: number,
    rates: Map<bigint, number>,
    state: 'runs' | 'stands' | 'held' = 'runs',
  ): Seen => {
    const seen = nothingSeen()
    for (let step = 0; step < (seconds * 1_000) / STEP_MS; step += 1) {
      nowMs += STEP_MS
      askAll(rates, seen)
      if (state === 'runs') push(seen)
      if (nowMs % LOOK_MS === 0) look(state === 'held')
    }
    return seen
  }
  const takeUpTo = (most: number): void => {
    perSecond = most
  }
  const accounts = () => processes.reduce((sum, process) => sum + process.state().accounts, 0)
  return { play, lines, accounts, takeUpTo }
}

const refusedOf = (seen: { refused: Map<bigint, number> }): number =>
  [...seen.refused.values()].reduce((sum, count) => sum + count, 0)

const evenly = (partners: number, perSecond: number): Map<bigint, number> =>
  new Map(Array.from({ length: partners }, (_one, index) => [BigInt(index + 10), perSecond / partners]))

describe('what one account can push', () => {
  let test: ReturnType<typeof createPlay>
  beforeEach(() => {
    test = createPlay({ perSecond: 100 })
  })

  it('is accepted whole, also when it stands still for a moment', () => {
    expect(refusedOf(test.play(10, evenly(10, 90)))).toBe(0)
    expect(refusedOf(test.play(1, evenly(10, 90), 'stands'))).toBe(0)
    expect(refusedOf(test.play(20, evenly(10, 90)))).toBe(0)
    expect(test.lines).toEqual([])
  })

  it.each([1.5, 2, 3, 5])('is pushed at its full pace while %d times as much is asked for', (times) => {
    test.play(5, evenly(10, 50))
    test.play(20, evenly(10, 100 * times))
    const steady = test.play(20, evenly(10, 100 * times))
    expect(steady.pushed).toBeGreaterThanOrEqual(1_990)
    expect(steady.longestMs).toBeLessThan(AFTER_MS)
    expect(refusedOf(steady)).toBeGreaterThan(0)
  })

  it('is accepted whole again within seconds after the others have gone', () => {
    test.play(15, evenly(10, 500))
    test.play(5, evenly(10, 50))
    const after = test.play(20, evenly(10, 50))
    expect([refusedOf(after), after.longestMs < 100, test.accounts()]).toEqual([0, true, 0])
    expect(test.lines.map(({ event }) => event)).toEqual(['overload_began', 'overload_ended'])
    expect(test.lines[1]).toMatchObject({ account_id: 0, refused: expect.any(Number) })
  })

  it('does not have those wait long who ask just after the load has come back', () => {
    test.play(15, evenly(10, 500))
    test.play(5, evenly(10, 50))
    expect(test.play(10, evenly(10, 500)).longestMs).toBeLessThan(AFTER_MS)
  })

  it('is shared by those who are refused at times that differ', () => {
    const { waits } = test.play(15, evenly(10, 500))
    expect(waits.size).toBeGreaterThan(5)
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(1)
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(45)
  })

  it('is refused to whom asks most: one partner’s flood is its own (law 7)', () => {
    const rates = new Map([
      [FLOODER, 1_000],
      [QUIET, 10],
    ])
    test.play(5, new Map([[QUIET, 10]]))
    const seen = test.play(30, rates)
    expect(seen.refused.get(QUIET) ?? 0).toBe(0)
    expect(seen.refused.get(FLOODER)).toBeGreaterThan(20_000)
  })

  it('is shared by many partners that ask hardly ever, too', () => {
    test.play(20, evenly(2_000, 300))
    const steady = test.play(30, evenly(2_000, 300))
    expect(steady.pushed).toBeGreaterThanOrEqual(2_700)
    expect(steady.longestMs).toBeLessThan(AFTER_MS)
  })
})

it('an account that takes pushes in rounds of seconds is used at its full pace', () => {
  const test = createPlay({ perSecond: 30, roundMs: 3_000 })
  test.play(20, evenly(10, 100))
  const steady = test.play(60, evenly(10, 100))
  expect(steady.pushed).toBeGreaterThanOrEqual(1_700)
  expect(steady.longestMs).toBeLessThan(2 * AFTER_MS)
})

it('an account that takes more by and by has less refused, and then nothing', () => {
  const test = createPlay({ perSecond: 20, roundMs: 1_000 })
  expect(refusedOf(test.play(20, evenly(10, 80)))).toBeGreaterThan(0)
  test.takeUpTo(100)
  test.play(20, evenly(10, 80))
  expect(refusedOf(test.play(20, evenly(10, 80)))).toBe(0)
})

it('several processes accept as much as is pushed, without a word between them', () => {
  const test = createPlay({ perSecond: 100, processes: 3 })
  test.play(10, evenly(10, 400))
  const steady = test.play(20, evenly(10, 400))
  expect(steady.pushed).toBeGreaterThanOrEqual(1_990)
  expect(steady.longestMs).toBeLessThan(AFTER_MS)
})

describe('while Daraja holds the account off', () => {
  it('for as long as it does in a row, nothing is refused', () => {
    const test = createPlay({ perSecond: 100 })
    test.play(10, evenly(10, 20))
    expect(refusedOf(test.play(29, evenly(10, 20), 'held'))).toBe(0)
  })

  it('for longer, as in an outage, what could not be prompted in time is refused; then as before', () => {
    const test = createPlay({ perSecond: 100 })
    test.play(10, evenly(10, 20))
    test.play(40, evenly(10, 20), 'held')
    const { accepted, refused } = test.play(30, evenly(10, 20), 'held')
    expect([accepted, refused.size]).toEqual([0, 10])
    const after = test.play(20, evenly(10, 20))
    expect(after.pushed).toBeGreaterThan(500)
    expect(refusedOf(test.play(20, evenly(10, 20)))).toBe(0)
  })
})

it('an account that is slow has no payments refused that go through another', () => {
  let nowMs = 1_000
  const log = createLog({ name: 'test', level: 'silent' })
  const overload = createOverload({
    afterMs: AFTER_MS,
    submitTtlMs: TTL_MS,
    nowMs: () => nowMs,
    random: () => 0.5,
    log,
  })
  const asked = { slow: 0, other: 0 }
  for (; nowMs < 60_000; nowMs += 100) {
    if (overload.ask({ partnerId: 1n, accountId: 7n }) === null) overload.accepted(7n)
    else asked.slow += 1
    if (overload.ask({ partnerId: 1n, accountId: 0n }) === null) overload.accepted(0n)
    else asked.other += 1
    if (nowMs % 200 === 0) overload.observe(new Map([[7n, { waitedMs: nowMs, isHeld: false }]]))
  }
  expect(asked.slow).toBeGreaterThan(100)
  expect(asked.other).toBe(0)
})
