import type { Endpoint } from '../../values/endpoint.ts'

// Which delivery is attempted next, within one process: law 7. A slot is an attempt under way. An endpoint that hangs keeps
// its slots for as long as an attempt may take, so the more it could have, the more it would take from others:
//
// - an endpoint has at most `endpointConcurrency` slots, a partner with all its endpoints a quarter of `concurrency`;
// - an endpoint that is slow, with 4 attempts under way for longer than a second, starts no more while half of all slots are
//   taken: what is left is for those that answer;
// - free slots are given round robin: to partners in turn, and within a partner to its endpoints.
//
// What waits is bounded too, for one endpoint, for one partner and in all. What does not fit is held in Postgres, so that
// nobody's delivery waits behind another's flood.

/** A delivery that is due, as the queue or Postgres says. */
export type DueDelivery = Endpoint & {
  deliveryId: bigint
  /** Called once: true when it was dealt with, false when another dispatcher must. */
  finish?: (isDone: boolean) => void
}

export type FairQueue = {
  /**
   * Starts it now or later, or has it held: `accepted`. Or not: `duplicate` when this process has the delivery already,
   * `closed` after `close`.
   */
  add(due: DueDelivery): 'accepted' | 'duplicate' | 'closed'
  /** Resolves when more may be added; with false once it is closed. */
  capacity(): Promise<boolean>
  /** The deliveries that this process has: waiting, under way, or about to be held. */
  deliveryIds(): bigint[]
  /** Starts nothing any more, and returns what waits. */
  close(): DueDelivery[]
  /** Resolves when nothing is under way, and nothing about to be held. */
  idle(): Promise<void>
}

/** Attempts under way for so long make an endpoint slow when there are so many of them, ms. */
const SLOW_MS = 1_000
const SLOW_ATTEMPTS = 4

/** What may wait: in all, for one endpoint that answers, for one that is slow, each for one slot. */
const WAITING_PER_SLOT = 16
const WAITING_PER_ENDPOINT_SLOT = 16
const WAITING_PER_SLOW_SLOT = 2

/** The part of all that one partner may have. */
const PARTNER_SLOTS = 1 / 4
const PARTNER_WAITING = 1 / 8

/** At the limit of all, a partner has some of what waits for it held only above this; else no more is asked for. */
const MODEST_WAITING = 128

type Partner = { id: bigint; deliveries: number; running: number; waiting: number; lines: Map<string, Line> }

/** What one endpoint has, and when its attempts under way were started, the oldest first, ms. */
type Line = {
  partner: Partner
  host: string
  deliveries: number
  waiting: DueDelivery[]
  startedMs: number[]
}

type Limits = { concurrency: number; endpointConcurrency: number; nowMs: () => number }

type FairQueueOptions = Limits & {
  /** Makes an attempt; resolves when its slot is free again. Must not reject. */
  start: (due: DueDelivery) => Promise<void>
  /** Takes over what does not fit; resolves when Postgres has it. Must not reject. */
  hold: (due: DueDelivery[]) => Promise<void>
}

export const createFairQueue = (options: FairQueueOptions): FairQueue => {
  const slots = createSlots(options)
  const lines = createLines()
  let holding = 0
  let isClosed = false
  let change = Promise.withResolvers<void>()

  const notify = (): void => {
    change.resolve()
    change = Promise.withResolvers()
  }
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await change.promise
  }
  const hasCapacity = (): boolean => lines.waiting() + holding < options.concurrency * WAITING_PER_SLOT

  const start = (due: DueDelivery, line: Line): void => {
    const freeSlot = slots.take(line)
    void options.start(due).then(() => {
      freeSlot()
      lines.forget(due, line)
      startWaiting()
      notify()
    })
  }
  const startWaiting = (): void => {
    while (!isClosed) {
      const next = lines.takeNext(slots.mayStart)
      if (next === undefined) return
      start(next.due, next.line)
    }
  }
  const hold = (given: DueDelivery[], line: Line): void => {
    holding += given.length
    void options.hold(given).then(() => {
      holding -= given.length
      for (const due of given) lines.forget(due, line)
      notify()
    })
  }

  const wait = (due: DueDelivery, line: Line): void => {
    lines.wait(due, line)
    const excess = hasCapacity() ? undefined : lines.takeExcess()
    if (excess) hold(excess.due, excess.line)
  }

  const add: FairQueue['add'] = (due) => {
    if (isClosed) return 'closed'
    if (lines.deliveryIds.has(due.deliveryId)) return 'duplicate'
    const line = lines.register(due)
    if (line.waiting.length === 0 && slots.mayStart(line)) start(due, line)
    else if (slots.isFull(line)) hold([due], line)
    else wait(due, line)
    return 'accepted'
  }
  const capacity = async (): Promise<boolean> => {
    await until(() => isClosed || hasCapacity())
    return !isClosed
  }
  const close = (): DueDelivery[] => {
    isClosed = true
    notify()
    return lines.allWaiting()
  }
  const idle = (): Promise<void> => until(() => slots.areFree() && holding === 0)
  return { add, capacity, deliveryIds: () => [...lines.deliveryIds], close, idle }
}

/** The slots, and who may have how many. */
const createSlots = ({ concurrency, endpointConcurrency, nowMs }: Limits) => {
  let running = 0

  const isSlow = (line: Line): boolean => {
    const startedMs = line.startedMs[SLOW_ATTEMPTS - 1]
    return startedMs !== undefined && nowMs() - startedMs > SLOW_MS
  }
  const mayStart = (line: Line): boolean =>
    running < concurrency &&
    line.startedMs.length < endpointConcurrency &&
    line.partner.running < Math.ceil(concurrency * PARTNER_SLOTS) &&
    (running < concurrency / 2 || !isSlow(line))

  /** Whether as much waits at the endpoint, or for its partner, as may. */
  const isFull = (line: Line): boolean => {
    const perSlot = isSlow(line) ? WAITING_PER_SLOW_SLOT : WAITING_PER_ENDPOINT_SLOT
    const ofPartner = Math.ceil(concurrency * WAITING_PER_SLOT * PARTNER_WAITING)
    return line.waiting.length >= endpointConcurrency * perSlot || line.partner.waiting >= ofPartner
  }

  /** Takes a slot; returns how to free it. */
  const take = (line: Line): (() => void) => {
    const startedMs = nowMs()
    line.startedMs.push(startedMs)
    line.partner.running += 1
    running += 1
    return () => {
      line.startedMs.splice(line.startedMs.indexOf(startedMs), 1)
      line.partner.running -= 1
      running -= 1
    }
  }
  return { mayStart, isFull, take, areFree: () => running === 0 }
}

/** Every delivery that this process has, by partner and endpoint, and what of it waits. */
const createLines = () => {
  /** Whose turn is next comes first, and so do the endpoints of each. */
  const partners = new Map<bigint, Partner>()
  const deliveryIds = new Set<bigint>()
  let waiting = 0

  const register = (due: DueDelivery): Line => {
    const { deliveryId, partnerId: id, host } = due
    const partner = partners.get(id) ?? { id, deliveries: 0, running: 0, waiting: 0, lines: new Map() }
    const line = partner.lines.get(host) ?? { partner, host, deliveries: 0, waiting: [], startedMs: [] }
    deliveryIds.add(deliveryId)
    partners.set(id, partner)
    partner.lines.set(host, line)
    partner.deliveries += 1
    line.deliveries += 1
    return line
  }
  /** Forgets the delivery, and its endpoint and its partner where it was the last of theirs. */
  const forget = (due: DueDelivery, line: Line): void => {
    const { partner } = line
    deliveryIds.delete(due.deliveryId)
    line.deliveries -= 1
    partner.deliveries -= 1
    if (line.deliveries === 0) partner.lines.delete(line.host)
    if (partner.deliveries === 0) partners.delete(partner.id)
  }

  const countWaiting = (line: Line, difference: number): void => {
    line.partner.waiting += difference
    waiting += difference
  }
  const wait = (due: DueDelivery, line: Line): void => {
    line.waiting.push(due)
    countWaiting(line, 1)
  }
  /** Takes the first delivery that may start; its endpoint goes to the end of its partner's, and that one to the end of all. */
  const takeNext = (mayStart: (line: Line) => boolean): { due: DueDelivery; line: Line } | undefined => {
    for (const line of linesInTurn(partners)) {
      if (!mayStart(line)) continue
      const due = line.waiting.shift()
      if (due === undefined) continue
      countWaiting(line, -1)
      moveToEnd(line.partner.lines, line.host, line)
      moveToEnd(partners, line.partner.id, line.partner)
      return { due, line }
    }
    return undefined
  }
  /** Takes the later half of the longest line of the partner that has most waiting, unless even that is modest. */
  const takeExcess = (): { due: DueDelivery[]; line: Line } | undefined => {
    const greediest = largest(partners.values(), (partner) => partner.waiting)
    if (!greediest || greediest.waiting <= MODEST_WAITING) return undefined
    const line = largest(greediest.lines.values(), (one) => one.waiting.length)
    if (!line) return undefined
    const due = line.waiting.splice(Math.floor(line.waiting.length / 2))
    countWaiting(line, -due.length)
    return { due, line }
  }
  const allWaiting = (): DueDelivery[] =>
    [...partners.values()].flatMap((partner) => [...partner.lines.values()].flatMap((line) => line.waiting))
  return { deliveryIds, waiting: () => waiting, register, forget, wait, takeNext, takeExcess, allWaiting }
}

/** The endpoints at which something waits: those of the partner whose turn is next come first. */
function* linesInTurn(partners: ReadonlyMap<bigint, Partner>): Generator<Line> {
  for (const partner of partners.values())
    if (partner.waiting > 0)
      for (const line of partner.lines.values()) if (line.waiting.length > 0) yield line
}

const moveToEnd = <Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void => {
  map.delete(key)
  map.set(key, value)
}

const largest = <Item>(items: Iterable<Item>, sizeOf: (item: Item) => number): Item | undefined => {
  let found: Item | undefined
  for (const item of items) if (found === undefined || sizeOf(item) > sizeOf(found)) found = item
  return found
}
