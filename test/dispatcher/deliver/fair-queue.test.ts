import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFairQueue, type DueDelivery } from '../../../src/dispatcher/deliver/fair-queue.ts'

/** A fair queue whose attempts end when the test says so, by a clock of its own. */
const startFairQueue = (
  options: { concurrency?: number; endpointConcurrency?: number; whileHolding?: Promise<void> } = {},
) => {
  let nowMs = 0
  const running = new Map<bigint, { due: DueDelivery; end: () => void }>()
  const started: DueDelivery[] = []
  const held: DueDelivery[] = []
  const queue = createFairQueue({
    concurrency: options.concurrency ?? 256,
    endpointConcurrency: options.endpointConcurrency ?? 32,
    nowMs: () => nowMs,
    start: (due) =>
      new Promise((end) => {
        started.push(due)
        running.set(due.delivery_id, { due, end })
      }),
    hold: async (given) => {
      held.push(...given)
      await options.whileHolding
    },
  })
  let ids = 0n
  const add = (partnerId: number, host = 'shop.co.ke', count = 1): DueDelivery[] =>
    Array.from({ length: count }, () => {
      ids += 1n
      const one = { delivery_id: ids, partner_id: BigInt(partnerId), host }
      queue.add(one)
      return one
    })
  const finish = async (due: DueDelivery): Promise<void> => {
    running.get(due.delivery_id)?.end()
    running.delete(due.delivery_id)
    await settled()
  }
  const runningOf = (partnerId: number, host?: string): number =>
    [...running.values()].filter(
      (one) => one.due.partner_id === BigInt(partnerId) && (host === undefined || one.due.host === host),
    ).length
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { queue, add, finish, running, runningOf, started, held, pass }
}

/** Lets what was resolved be heard of. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

describe('the fair queue', () => {
  it('starts at once what there is a slot for', () => {
    const { add, started } = startFairQueue()
    expect(started).toEqual(add(1))
  })

  it('gives an endpoint no more than its slots, and each of its deliveries in their order', async () => {
    const { add, started, finish, running } = startFairQueue({ endpointConcurrency: 3 })
    const added = add(1, 'shop.co.ke', 5)
    expect(started).toEqual(added.slice(0, 3))
    for (const one of added.slice(0, 2)) await finish(one)
    expect(started).toEqual(added)
    expect(running.size).toBe(3)
  })

  it('gives a partner no more than a quarter of all, however many endpoints it has', () => {
    const { add, runningOf } = startFairQueue({ concurrency: 16 })
    for (let host = 0; host < 10; host += 1) add(1, `${host}.shop.co.ke`)
    expect(runningOf(1)).toBe(4)
    add(2)
    expect(runningOf(2)).toBe(1)
  })

  it('starts no more at a slow endpoint while half of the slots are taken', async () => {
    const { add, finish, runningOf, pass } = startFairQueue({ concurrency: 16, endpointConcurrency: 8 })
    const slow = add(1, 'slow.co.ke', 4)
    pass(1_001)
    for (const partner of [2, 3, 4]) add(partner, 'quick.co.ke', 4)
    await finish(slow[0] ?? slowest)
    add(1, 'slow.co.ke')
    expect(runningOf(1)).toBe(4)
    pass(1_001)
    await finish(slow[1] ?? slowest)
    expect(runningOf(1)).toBe(3)
    const [waiting = slowest] = add(1, 'slow.co.ke')
    expect(runningOf(1)).toBe(4)
    await finish(waiting)
    expect(runningOf(1)).toBe(3)
  })

  it('lets a slow endpoint go on while most slots are free', () => {
    const { add, runningOf, pass } = startFairQueue({ concurrency: 256 })
    add(1, 'slow.co.ke', 4)
    pass(5_000)
    add(1, 'slow.co.ke', 20)
    expect(runningOf(1)).toBe(24)
  })

  it('gives slots round robin to partners, and to the endpoints of each', async () => {
    const { add, started, finish } = startFairQueue({ concurrency: 4, endpointConcurrency: 4 })
    const first = [add(1), add(2), add(3), add(4)].flat()
    const flood = add(5, 'flood.co.ke', 3)
    const other = add(5, 'other.co.ke')
    const modest = add(6)
    for (const one of first) await finish(one)
    // A partner has one of the four slots here: its next starts when that one ends.
    expect(started.slice(4)).toEqual([flood[0], modest[0]])
    await finish(flood[0] ?? slowest)
    await finish(other[0] ?? slowest)
    expect(started.slice(6)).toEqual([other[0], flood[1]])
  })

  it('takes a delivery once, as long as it has it', async () => {
    const { queue, add, finish, started } = startFairQueue()
    const [one = slowest] = add(1)
    expect(queue.add(one)).toBe('duplicate')
    expect(queue.deliveryIds()).toEqual([one.delivery_id])
    await finish(one)
    expect(queue.deliveryIds()).toEqual([])
    expect(queue.add(one)).toBe('accepted')
    expect(started).toHaveLength(2)
  })

  it('has what floods in at one endpoint held, and takes what comes for another', async () => {
    const { queue, add, held, runningOf } = startFairQueue({ concurrency: 64, endpointConcurrency: 4 })
    add(1, 'flood.co.ke', 1_000)
    await settled()
    expect(runningOf(1)).toBe(4)
    expect(held).toHaveLength(1_000 - 4 - 64)
    expect(await queue.capacity()).toBe(true)
    add(2)
    expect(runningOf(2)).toBe(1)
  })

  it('has more held of what waits for an endpoint that hangs', async () => {
    const { add, held, pass } = startFairQueue({ concurrency: 16, endpointConcurrency: 4 })
    add(1, 'slow.co.ke', 4)
    add(2, 'quick.co.ke', 4)
    pass(1_001)
    add(1, 'slow.co.ke', 20)
    await settled()
    expect(held).toHaveLength(20 - 8)
  })

  it('lets a partner with many endpoints crowd out nobody', async () => {
    const { queue, add, runningOf } = startFairQueue({ concurrency: 16, endpointConcurrency: 4 })
    for (let host = 0; host < 1_000; host += 1) add(1, `${host}.shop.co.ke`)
    await settled()
    expect(await queue.capacity()).toBe(true)
    add(2)
    expect(runningOf(2)).toBe(1)
  })

  it('has deliveries of the greediest held when no more may wait', async () => {
    const { queue, add, held } = startFairQueue({ concurrency: 128, endpointConcurrency: 32 })
    // 2,048 may wait, and 256 for one partner.
    for (let partner = 1; partner <= 9; partner += 1) add(partner, 'flood.co.ke', 300)
    await settled()
    expect(await queue.capacity()).toBe(true)
    expect(held.length).toBeGreaterThan(0)
    const before = held.length
    const modest = add(10, 'modest.co.ke', 3)
    await settled()
    expect(held.slice(before).filter((one) => one.partner_id === 10n)).toEqual([])
    expect(queue.deliveryIds()).toEqual(expect.arrayContaining(modest.map((one) => one.delivery_id)))
  })

  it('asks for no more while all are busy alike, and has nothing held', async () => {
    const { queue, add, held, finish, started } = startFairQueue({ concurrency: 4, endpointConcurrency: 4 })
    for (let partner = 1; partner <= 68; partner += 1) add(partner)
    await settled()
    expect(held).toEqual([])
    let isThere = false
    const capacity = queue.capacity().then((isOpen) => {
      isThere = isOpen
    })
    await settled()
    expect(isThere).toBe(false)
    await finish(started[0] ?? slowest)
    await capacity
    expect(isThere).toBe(true)
  })

  it('returns what waits when it is closed, and says when the last attempt has ended', async () => {
    const { queue, add, finish, started } = startFairQueue({ endpointConcurrency: 1 })
    const [under = slowest, ...waiting] = add(1, 'shop.co.ke', 3)
    let isIdle = false
    expect(queue.close()).toEqual(waiting)
    void queue.idle().then(() => {
      isIdle = true
    })
    expect(queue.add({ ...under, delivery_id: 99n })).toBe('closed')
    expect(await queue.capacity()).toBe(false)
    expect(isIdle).toBe(false)
    await finish(under)
    expect(isIdle).toBe(true)
    expect(started).toEqual([under])
  })

  it('takes over what the queue says, acknowledges what it has already, and gives back what comes after its end', async () => {
    const { queue, add, started, finish } = startFairQueue()
    const [under = slowest] = add(1)
    const finished: string[] = []
    const say = (delivery_id: bigint) =>
      queue.takeOver({
        delivery_id,
        publish_number: 1,
        partner_id: 1n,
        host: 'shop.co.ke',
        finish: (isDone) => finished.push(`${delivery_id} ${isDone}`),
      })
    await say(under.delivery_id)
    await say(98n)
    expect(started.map(({ delivery_id }) => delivery_id)).toEqual([under.delivery_id, 98n])
    queue.close()
    await say(99n)
    expect(finished).toEqual([`${under.delivery_id} true`, '99 false'])
    await finish(under)
  })

  it('counts a partner once, also when all it had has ended but what is about to be held', async () => {
    const { promise: whileHolding, resolve: areHeld } = Promise.withResolvers<void>()
    const { add, held, started, finish, runningOf } = startFairQueue({
      concurrency: 16,
      endpointConcurrency: 4,
      whileHolding,
    })
    // Four run, and as many wait as may for one partner: what comes for its other endpoint is held.
    const all = add(1, 'a.co.ke', 4 + 32)
    expect(held).toEqual(add(1, 'b.co.ke'))
    for (const one of all) await finish(one)
    expect(started).toEqual(all)
    add(1, 'c.co.ke', 4)
    add(1, 'b.co.ke', 4)
    expect(runningOf(1)).toBe(4)
    areHeld()
    await settled()
    add(1, 'd.co.ke', 4)
    expect(runningOf(1)).toBe(4)
  })

  it('loses nothing and breaks no limit, whatever comes and ends in whatever order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add'), partner: fc.integer({ min: 1, max: 5 }), host: fc.nat(2) }),
      fc.record({ kind: fc.constant('end'), which: fc.nat(100) }),
      fc.record({ kind: fc.constant('pass'), ms: fc.nat(2_000) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300 }), async (steps) => {
        const test = startFairQueue({ concurrency: 8, endpointConcurrency: 2 })
        let addedCount = 0
        for (const one of steps) {
          if ('partner' in one) addedCount += test.add(one.partner, `${one.host}.co.ke`).length
          else if ('ms' in one) test.pass(one.ms)
          else {
            const under = [...test.running.values()]
            const ended = under[one.which % under.length]
            if (ended) await test.finish(ended.due)
          }
          expect(test.running.size).toBeLessThanOrEqual(8)
          for (let partner = 1; partner <= 5; partner += 1) {
            expect(test.runningOf(partner)).toBeLessThanOrEqual(2)
          }
        }
        for (let round = 0; test.running.size > 0 && round < 1_000; round += 1) {
          for (const { due } of test.running.values()) await test.finish(due)
        }
        expect(test.started.length + test.held.length).toBe(addedCount)
        expect(test.queue.deliveryIds()).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

/** Stands in for a delivery that must be there. */
const slowest: DueDelivery = { delivery_id: 0n, partner_id: 0n, host: '' }
