import type { Due, DueMessage } from '../../queue/delivery-stream.ts'

// Which delivery is attempted next, within one process: law 7. A slot is an attempt under way. An endpoint that hangs
// keeps its slots for as long as an attempt may take, so the more it could have, the more it would take from others:
//
// - an endpoint has at most `endpointConcurrency` slots, a partner with all its endpoints a quarter of `concurrency`;
// - an endpoint that is slow, with 4 attempts under way for longer than a second, starts no more while half of all
//   slots are taken: what is left is for those that answer;
// - free slots are given round robin: to partners one after another, and within a partner to its endpoints.
//
// What waits is bounded too, for one endpoint, for one partner and in all. What does not fit is held in Postgres, so
// that nobody's delivery waits behind another's flood.

/** A delivery that is due, as the queue or Postgres says. */
export type DueDelivery = Pick<Due, 'delivery_id' | 'partner_id' | 'host'> &
  Partial<Pick<DueMessage, 'finish' | 'publish_number'>>

export type FairQueue = {
  /**
   * Starts it now or later, or has it held: `accepted`. Or not: `duplicate` when this process has the delivery already,
   * `closed` after `close`.
   */
  add(due: DueDelivery): 'accepted' | 'duplicate' | 'closed'
  /**
   * Adds what the queue says is due, once more may be added. The message is acknowledged when its attempt is recorded,
   * when the delivery is held, or when there was nothing to attempt: the delivery is gone, not due or another's, and
   * Postgres knows its next time. It is released when nothing is started any more, or the attempt failed for a reason
   * of ours.
   */
  takeOver(message: DueMessage): Promise<void>
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
const MIN_EXCESS_WAITING = 128

type Partner = {
  id: bigint
  deliveries: number
  running: number
  waiting: number
  endpoints: Map<string, EndpointQueue>
}

/** What one endpoint has, and when its attempts under way were started, the oldest first, ms. */
type EndpointQueue = {
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
  const endpoints = createEndpoints()
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
  const hasCapacity = (): boolean => endpoints.waiting() + holding < options.concurrency * WAITING_PER_SLOT

  const start = (due: DueDelivery, endpoint: EndpointQueue): void => {
    const freeSlot = slots.take(endpoint)
    void options.start(due).then(() => {
      freeSlot()
      endpoints.forget(due, endpoint)
      startWaiting()
      notify()
    })
  }
  const startWaiting = (): void => {
    while (!isClosed) {
      const next = endpoints.takeNext(slots.mayStart)
      if (next === undefined) return
      start(next.due, next.endpoint)
    }
  }
  const hold = (given: DueDelivery[], endpoint: EndpointQueue): void => {
    holding += given.length
    void options.hold(given).then(() => {
      holding -= given.length
      for (const due of given) endpoints.forget(due, endpoint)
      notify()
    })
  }

  const wait = (due: DueDelivery, endpoint: EndpointQueue): void => {
    endpoints.wait(due, endpoint)
    const excess = hasCapacity() ? undefined : endpoints.takeExcess()
    if (excess) hold(excess.due, excess.endpoint)
  }

  const add: FairQueue['add'] = (due) => {
    if (isClosed) return 'closed'
    if (endpoints.deliveryIds.has(due.delivery_id)) return 'duplicate'
    const endpoint = endpoints.register(due)
    if (endpoint.waiting.length === 0 && slots.mayStart(endpoint)) start(due, endpoint)
    else if (slots.isFull(endpoint)) hold([due], endpoint)
    else wait(due, endpoint)
    return 'accepted'
  }
  const capacity = async (): Promise<boolean> => {
    await until(() => isClosed || hasCapacity())
    return !isClosed
  }
  const takeOver = async (message: DueMessage): Promise<void> => {
    await capacity()
    const answer = add(message)
    // This process has a duplicate already: it needs no second message to be attempted.
    if (answer !== 'accepted') message.finish(answer === 'duplicate')
  }
  const close = (): DueDelivery[] => {
    isClosed = true
    notify()
    return endpoints.allWaiting()
  }
  const idle = (): Promise<void> => until(() => slots.areFree() && holding === 0)
  return { add, takeOver, capacity, deliveryIds: () => [...endpoints.deliveryIds], close, idle }
}

/** The slots, and who may have how many. */
const createSlots = ({ concurrency, endpointConcurrency, nowMs }: Limits) => {
  let running = 0

  const isSlow = (endpoint: EndpointQueue): boolean => {
    const startedMs = endpoint.startedMs[SLOW_ATTEMPTS - 1]
    return startedMs !== undefined && nowMs() - startedMs > SLOW_MS
  }
  const mayStart = (endpoint: EndpointQueue): boolean =>
    running < concurrency &&
    endpoint.startedMs.length < endpointConcurrency &&
    endpoint.partner.running < Math.ceil(concurrency * PARTNER_SLOTS) &&
    (running < concurrency / 2 || !isSlow(endpoint))

  /** Whether as much waits at the endpoint, or for its partner, as may. */
  const isFull = (endpoint: EndpointQueue): boolean => {
    const perSlot = isSlow(endpoint) ? WAITING_PER_SLOW_SLOT : WAITING_PER_ENDPOINT_SLOT
    const ofPartner = Math.ceil(concurrency * WAITING_PER_SLOT * PARTNER_WAITING)
    return endpoint.waiting.length >= endpointConcurrency * perSlot || endpoint.partner.waiting >= ofPartner
  }

  /** Takes a slot; returns how to free it. */
  const take = (endpoint: EndpointQueue): (() => void) => {
    const startedMs = nowMs()
    endpoint.startedMs.push(startedMs)
    endpoint.partner.running += 1
    running += 1
    return () => {
      endpoint.startedMs.splice(endpoint.startedMs.indexOf(startedMs), 1)
      endpoint.partner.running -= 1
      running -= 1
    }
  }
  return { mayStart, isFull, take, areFree: () => running === 0 }
}

/** Every delivery that this process has, by partner and endpoint, and what of it waits. */
const createEndpoints = () => {
  /** The next to be served comes first, among the endpoints of each too. */
  const partners = new Map<bigint, Partner>()
  const deliveryIds = new Set<bigint>()
  let waiting = 0

  const register = (due: DueDelivery): EndpointQueue => {
    const { delivery_id, partner_id: id, host } = due
    const partner = partners.get(id) ?? { id, deliveries: 0, running: 0, waiting: 0, endpoints: new Map() }
    const endpoint = partner.endpoints.get(host) ?? {
      partner,
      host,
      deliveries: 0,
      waiting: [],
      startedMs: [],
    }
    deliveryIds.add(delivery_id)
    partners.set(id, partner)
    partner.endpoints.set(host, endpoint)
    partner.deliveries += 1
    endpoint.deliveries += 1
    return endpoint
  }
  /** Forgets the delivery, and its endpoint and its partner where it was the last of theirs. */
  const forget = (due: DueDelivery, endpoint: EndpointQueue): void => {
    const { partner } = endpoint
    deliveryIds.delete(due.delivery_id)
    endpoint.deliveries -= 1
    partner.deliveries -= 1
    if (endpoint.deliveries === 0) partner.endpoints.delete(endpoint.host)
    if (partner.deliveries === 0) partners.delete(partner.id)
  }

  const countWaiting = (endpoint: EndpointQueue, difference: number): void => {
    endpoint.partner.waiting += difference
    waiting += difference
  }
  const wait = (due: DueDelivery, endpoint: EndpointQueue): void => {
    endpoint.waiting.push(due)
    countWaiting(endpoint, 1)
  }
  /**
   * Takes the first delivery that may start; its endpoint goes to the end of its partner's, and that one to the end of
   * all.
   */
  const takeNext = (
    mayStart: (endpoint: EndpointQueue) => boolean,
  ): { due: DueDelivery; endpoint: EndpointQueue } | undefined => {
    for (const endpoint of endpointsInOrder(partners)) {
      if (!mayStart(endpoint)) continue
      const due = endpoint.waiting.shift()
      if (due === undefined) continue
      countWaiting(endpoint, -1)
      moveToEnd(endpoint.partner.endpoints, endpoint.host, endpoint)
      moveToEnd(partners, endpoint.partner.id, endpoint.partner)
      return { due, endpoint }
    }
    return undefined
  }
  /**
   * Takes the later half of what waits at the longest queue of the partner that has most waiting, unless that is
   * short.
   */
  const takeExcess = (): { due: DueDelivery[]; endpoint: EndpointQueue } | undefined => {
    const fullest = largest(partners.values(), (partner) => partner.waiting)
    if (!fullest || fullest.waiting <= MIN_EXCESS_WAITING) return undefined
    const endpoint = largest(fullest.endpoints.values(), (one) => one.waiting.length)
    if (!endpoint) return undefined
    const due = endpoint.waiting.splice(Math.floor(endpoint.waiting.length / 2))
    countWaiting(endpoint, -due.length)
    return { due, endpoint }
  }
  const allWaiting = (): DueDelivery[] =>
    [...partners.values()].flatMap((partner) =>
      [...partner.endpoints.values()].flatMap((endpoint) => endpoint.waiting),
    )
  return { deliveryIds, waiting: () => waiting, register, forget, wait, takeNext, takeExcess, allWaiting }
}

/** The endpoints at which something waits: those of the partner that is served next come first. */
function* endpointsInOrder(partners: ReadonlyMap<bigint, Partner>): Generator<EndpointQueue> {
  for (const partner of partners.values())
    if (partner.waiting > 0)
      for (const endpoint of partner.endpoints.values()) if (endpoint.waiting.length > 0) yield endpoint
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
