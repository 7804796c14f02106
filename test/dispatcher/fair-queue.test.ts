import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFairQueue, type Offer } from '../../src/dispatcher/deliver/fair-queue.ts'

/** FairQueue whose attempts end when the test says so, by a clock of its own. */
const startFairQueue = (
  given: { places?: number; endpointPlaces?: number; whileLeaving?: Promise<void> } = {},
) => {
  let nowMs = 0
  const running = new Map<bigint, { offer: Offer; end: () => void }>()
  const started: Offer[] = []
  const left: Offer[] = []
  const turns = createFairQueue<Offer>({
    places: given.places ?? 256,
    endpointPlaces: given.endpointPlaces ?? 32,
    nowMs: () => nowMs,
    start: (offer) =>
      new Promise((end) => {
        started.push(offer)
        running.set(offer.deliveryId, { offer, end })
      }),
    leave: async (offers) => {
      left.push(...offers)
      await given.whileLeaving
    },
  })
  let ids = 0n
  const offer = (partnerId: number, host = 'shop.co.ke', count = 1): Offer[] =>
    Array.from({ length: count }, () => {
      ids += 1n
      const one = { deliveryId: ids, partnerId: BigInt(partnerId), host }
      turns.offer(one)
      return one
    })
  const finish = async (offer: Offer): Promise<void> => {
    running.get(offer.deliveryId)?.end()
    running.delete(offer.deliveryId)
    await settled()
  }
  const runningOf = (partnerId: number, host?: string): number =>
    [...running.values()].filter(
      (one) => one.offer.partnerId === BigInt(partnerId) && (host === undefined || one.offer.host === host),
    ).length
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { turns, offer, finish, running, runningOf, started, left, pass }
}

/** Lets what was resolved be heard of. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

describe('turns', () => {
  it('start at once what there is a place for', () => {
    const { offer, started } = startFairQueue()
    expect(started).toEqual(offer(1))
  })

  it('give an endpoint no more than its places, and each of its deliveries in their order', async () => {
    const { offer, started, finish, running } = startFairQueue({ endpointPlaces: 3 })
    const offers = offer(1, 'shop.co.ke', 5)
    expect(started).toEqual(offers.slice(0, 3))
    for (const one of offers.slice(0, 2)) await finish(one)
    expect(started).toEqual(offers)
    expect(running.size).toBe(3)
  })

  it('give a partner no more than a quarter of all, however many endpoints it has', () => {
    const { offer, runningOf } = startFairQueue({ places: 16 })
    for (let host = 0; host < 10; host += 1) offer(1, `${host}.shop.co.ke`)
    expect(runningOf(1)).toBe(4)
    offer(2)
    expect(runningOf(2)).toBe(1)
  })

  it('start no more at a slow endpoint while half of the places are taken', async () => {
    const { offer, finish, runningOf, pass } = startFairQueue({ places: 16, endpointPlaces: 8 })
    const slow = offer(1, 'slow.co.ke', 4)
    pass(1_001)
    for (const partner of [2, 3, 4]) offer(partner, 'quick.co.ke', 4)
    await finish(slow[0] ?? slowest)
    offer(1, 'slow.co.ke')
    expect(runningOf(1)).toBe(4)
    pass(1_001)
    await finish(slow[1] ?? slowest)
    expect(runningOf(1)).toBe(3)
    const [waiting = slowest] = offer(1, 'slow.co.ke')
    expect(runningOf(1)).toBe(4)
    await finish(waiting)
    expect(runningOf(1)).toBe(3)
  })

  it('let a slow endpoint go on while most places are free', () => {
    const { offer, runningOf, pass } = startFairQueue({ places: 256 })
    offer(1, 'slow.co.ke', 4)
    pass(5_000)
    offer(1, 'slow.co.ke', 20)
    expect(runningOf(1)).toBe(24)
  })

  it('go round the partners, and round the endpoints of each', async () => {
    const { offer, started, finish } = startFairQueue({ places: 4, endpointPlaces: 4 })
    const first = [offer(1), offer(2), offer(3), offer(4)].flat()
    const flood = offer(5, 'flood.co.ke', 3)
    const other = offer(5, 'other.co.ke')
    const modest = offer(6)
    for (const one of first) await finish(one)
    // A partner has one of the four places here: its next starts when that one ends.
    expect(started.slice(4)).toEqual([flood[0], modest[0]])
    await finish(flood[0] ?? slowest)
    await finish(other[0] ?? slowest)
    expect(started.slice(6)).toEqual([other[0], flood[1]])
  })

  it('take a delivery once, as long as it is in hand', async () => {
    const { turns, offer, finish, started } = startFairQueue()
    const [one = slowest] = offer(1)
    expect(turns.offer(one)).toBe('in_hand')
    expect(turns.inHand()).toEqual([one.deliveryId])
    await finish(one)
    expect(turns.inHand()).toEqual([])
    expect(turns.offer(one)).toBe('taken')
    expect(started).toHaveLength(2)
  })

  it('let leave what floods in at one endpoint, and take what comes for another', async () => {
    const { turns, offer, left, runningOf } = startFairQueue({ places: 64, endpointPlaces: 4 })
    offer(1, 'flood.co.ke', 1_000)
    await settled()
    expect(runningOf(1)).toBe(4)
    expect(left).toHaveLength(1_000 - 4 - 64)
    expect(await turns.room()).toBe(true)
    offer(2)
    expect(runningOf(2)).toBe(1)
  })

  it('let leave more of what waits for an endpoint that hangs', async () => {
    const { offer, left, pass } = startFairQueue({ places: 16, endpointPlaces: 4 })
    offer(1, 'slow.co.ke', 4)
    offer(2, 'quick.co.ke', 4)
    pass(1_001)
    offer(1, 'slow.co.ke', 20)
    await settled()
    expect(left).toHaveLength(20 - 8)
  })

  it('let a partner with many endpoints crowd out nobody', async () => {
    const { turns, offer, runningOf } = startFairQueue({ places: 16, endpointPlaces: 4 })
    for (let host = 0; host < 1_000; host += 1) offer(1, `${host}.shop.co.ke`)
    await settled()
    expect(await turns.room()).toBe(true)
    offer(2)
    expect(runningOf(2)).toBe(1)
  })

  it('let the greediest leave when all room is taken', async () => {
    const { turns, offer, left } = startFairQueue({ places: 128, endpointPlaces: 32 })
    // 2,048 may wait, and 256 for one partner.
    for (let partner = 1; partner <= 9; partner += 1) offer(partner, 'flood.co.ke', 300)
    await settled()
    expect(await turns.room()).toBe(true)
    expect(left.length).toBeGreaterThan(0)
    const before = left.length
    const modest = offer(10, 'modest.co.ke', 3)
    await settled()
    expect(left.slice(before).filter((one) => one.partnerId === 10n)).toEqual([])
    expect(turns.inHand()).toEqual(expect.arrayContaining(modest.map((one) => one.deliveryId)))
  })

  it('ask for no more while all are busy alike, and let nothing leave', async () => {
    const { turns, offer, left, finish, started } = startFairQueue({ places: 4, endpointPlaces: 4 })
    for (let partner = 1; partner <= 68; partner += 1) offer(partner)
    await settled()
    expect(left).toEqual([])
    let isThere = false
    const room = turns.room().then((isOpen) => {
      isThere = isOpen
    })
    await settled()
    expect(isThere).toBe(false)
    await finish(started[0] ?? slowest)
    await room
    expect(isThere).toBe(true)
  })

  it('give back what waits when they are closed, and tell when the last attempt has ended', async () => {
    const { turns, offer, finish, started } = startFairQueue({ endpointPlaces: 1 })
    const [under = slowest, ...waiting] = offer(1, 'shop.co.ke', 3)
    let isIdle = false
    expect(turns.close()).toEqual(waiting)
    void turns.idle().then(() => {
      isIdle = true
    })
    expect(turns.offer({ ...under, deliveryId: 99n })).toBe('closed')
    expect(await turns.room()).toBe(false)
    expect(isIdle).toBe(false)
    await finish(under)
    expect(isIdle).toBe(true)
    expect(started).toEqual([under])
  })

  it('count a partner once, also when all it had has ended but what is about to leave', async () => {
    const { promise: whileLeaving, resolve: haveLeft } = Promise.withResolvers<void>()
    const { offer, left, started, finish, runningOf } = startFairQueue({
      places: 16,
      endpointPlaces: 4,
      whileLeaving,
    })
    // Four run, and as many wait as may for one partner: what comes for its other endpoint leaves.
    const all = offer(1, 'a.co.ke', 4 + 32)
    expect(left).toEqual(offer(1, 'b.co.ke'))
    for (const one of all) await finish(one)
    expect(started).toEqual(all)
    offer(1, 'c.co.ke', 4)
    offer(1, 'b.co.ke', 4)
    expect(runningOf(1)).toBe(4)
    haveLeft()
  })

  it('lose nothing and break no limit, whatever comes and ends in whatever order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('offer'), partner: fc.integer({ min: 1, max: 5 }), host: fc.nat(2) }),
      fc.record({ kind: fc.constant('end'), which: fc.nat(100) }),
      fc.record({ kind: fc.constant('pass'), ms: fc.nat(2_000) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300 }), async (steps) => {
        const test = startFairQueue({ places: 8, endpointPlaces: 2 })
        let offered = 0
        for (const one of steps) {
          if ('partner' in one) offered += test.offer(one.partner, `${one.host}.co.ke`).length
          else if ('ms' in one) test.pass(one.ms)
          else {
            const under = [...test.running.values()]
            const ended = under[one.which % under.length]
            if (ended) await test.finish(ended.offer)
          }
          expect(test.running.size).toBeLessThanOrEqual(8)
          for (let partner = 1; partner <= 5; partner += 1) {
            expect(test.runningOf(partner)).toBeLessThanOrEqual(2)
          }
        }
        for (let round = 0; test.running.size > 0 && round < 1_000; round += 1) {
          for (const { offer } of test.running.values()) await test.finish(offer)
        }
        expect(test.started.length + test.left.length).toBe(offered)
        expect(test.turns.inHand()).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

/** Stands in for an offer that must be there. */
const slowest: Offer = { deliveryId: 0n, partnerId: 0n, host: '' }
