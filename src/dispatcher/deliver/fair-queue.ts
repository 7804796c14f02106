import { type Endpoint, endpointKey } from '../../values/endpoint.ts'

// Who is attempted next, within one process: law 7. A place is an attempt under way. A hanging endpoint keeps its places for
// as long as an attempt may take, so the more it could have, the more it would take from others:
//
// - an endpoint has at most `endpointPlaces` places, a partner with all its endpoints a quarter of all;
// - an endpoint that is slow, with 4 attempts under way for longer than a second, starts no more while half of the places are
//   taken: what is left is for those that answer;
// - free places go round: partners in turn, and within a partner its endpoints.
//
// Waiting is bounded too, for one endpoint, for one partner and in all. What does not fit leaves the process: it is held in
// Postgres, so that nobody's delivery stands behind another's flood.

/** A delivery that is said to be due. */
export type Offer = Endpoint & { deliveryId: bigint }

export type FairQueue<Given extends Offer> = {
  /**
   * Starts it now or later, or lets it leave: `taken`. Or not: `in_hand` when this process has the delivery already, `closed`
   * when nothing is started any more.
   */
  offer(given: Given): 'taken' | 'in_hand' | 'closed'
  /** Resolves when more may be offered; with false once it is closed. */
  room(): Promise<boolean>
  /** The deliveries that this process has in hand. */
  inHand(): bigint[]
  /** Starts nothing any more, and returns what waits. */
  close(): Given[]
  /** Resolves when nothing is under way, and nothing about to leave. */
  idle(): Promise<void>
}

type FairQueueOptions<Given> = {
  places: number
  endpointPlaces: number
  nowMs: () => number
  /** Begins an attempt; resolves when its place is free again. Must not reject. */
  start: (given: Given) => Promise<void>
  /** Takes over what does not fit; resolves when it is out of hand. Must not reject. */
  leave: (given: Given[]) => Promise<void>
}

/** Attempts under way for so long make an endpoint slow when there are so many of them, ms. */
const SLOW_MS = 1_000
const SLOW_ATTEMPTS = 4

/** What may wait: in all, for one endpoint that answers, for one that is slow, each for one place. */
const WAITING_PER_PLACE = 16
const WAITING_PER_ENDPOINT_PLACE = 16
const WAITING_PER_SLOW_PLACE = 2

/** The part of all that one partner may have. */
const PARTNER_PLACES = 1 / 4
const PARTNER_WAITING = 1 / 8

/** With all room taken, a partner gives up some of what waits for it only above this; else nobody is asked for more. */
const MODEST_WAITING = 128

type Partner<Given> = {
  /** How many endpoints of it are known. */
  endpoints: number
  running: number
  waiting: number
  /** Those with something waiting, the next turn first. */
  lines: Line<Given>[]
}

type Line<Given> = {
  partner: Partner<Given>
  waiting: Given[]
  /** The attempts under way, the oldest first. */
  running: { startedMs: number }[]
}

type State<Given> = {
  running: number
  waiting: number
  leaving: number
  isClosed: boolean
  inHand: Set<bigint>
  lines: Map<string, Line<Given>>
  partners: Map<bigint, Partner<Given>>
  /** The partners with something waiting, the next turn first. */
  ring: Partner<Given>[]
}

export const createFairQueue = <Given extends Offer>(options: FairQueueOptions<Given>): FairQueue<Given> => {
  const state = nothingYet<Given>()
  const allWaiting = options.places * WAITING_PER_PLACE
  let whenRoom: ((isOpen: boolean) => void)[] = []
  let whenIdle: (() => void)[] = []

  const hasRoom = (): boolean => state.waiting + state.leaving < allWaiting
  const isIdle = (): boolean => state.running === 0 && state.leaving === 0
  const wakeWaiting = (): void => {
    if (state.isClosed || hasRoom()) {
      for (const resolve of whenRoom) resolve(!state.isClosed)
      whenRoom = []
    }
    if (!isIdle()) return
    for (const resolve of whenIdle) resolve()
    whenIdle = []
  }

  const start = (line: Line<Given>, given: Given): void => {
    const attempt = { startedMs: options.nowMs() }
    begin(state, line, attempt)
    void options.start(given).then(() => {
      end(state, line, attempt, given)
      startWaiting()
      wakeWaiting()
    })
  }
  const startWaiting = (): void => {
    while (!state.isClosed && state.running < options.places) {
      const line = nextLine(state, options)
      const given = line && takeFirst(state, line)
      if (!line || !given) return
      start(line, given)
    }
  }
  const leave = (given: Given[]): void => {
    state.leaving += given.length
    void options.leave(given).then(() => {
      state.leaving -= given.length
      for (const one of given) letGo(state, one)
      wakeWaiting()
    })
  }

  const offer = (given: Given): 'taken' | 'in_hand' | 'closed' => {
    if (state.isClosed) return 'closed'
    if (state.inHand.has(given.deliveryId)) return 'in_hand'
    state.inHand.add(given.deliveryId)
    const line = lineOf(state, given)
    if (line.waiting.length === 0 && mayStart(state, line, options)) start(line, given)
    else if (isFull(line, options)) leave([given])
    else {
      addLast(state, line, given)
      if (!hasRoom()) leave(giveUp(state))
    }
    return 'taken'
  }
  const room = (): Promise<boolean> =>
    state.isClosed || hasRoom()
      ? Promise.resolve(!state.isClosed)
      : new Promise((resolve) => whenRoom.push(resolve))
  const close = (): Given[] => {
    state.isClosed = true
    const waiting = [...state.lines.values()].flatMap((line) => line.waiting)
    wakeWaiting()
    return waiting
  }
  const idle = (): Promise<void> =>
    isIdle() ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve))
  return { offer, room, inHand: () => [...state.inHand], close, idle }
}

const nothingYet = <Given>(): State<Given> => ({
  running: 0,
  waiting: 0,
  leaving: 0,
  isClosed: false,
  inHand: new Set(),
  lines: new Map(),
  partners: new Map(),
  ring: [],
})

type Limits = { places: number; endpointPlaces: number; nowMs: () => number }

const mayStart = <Given>(state: State<Given>, line: Line<Given>, limits: Limits): boolean =>
  state.running < limits.places &&
  line.running.length < limits.endpointPlaces &&
  line.partner.running < Math.ceil(limits.places * PARTNER_PLACES) &&
  (state.running < limits.places / 2 || !isSlow(line, limits))

const isSlow = <Given>(line: Line<Given>, { nowMs }: Limits): boolean => {
  const attempt = line.running[SLOW_ATTEMPTS - 1]
  return attempt !== undefined && nowMs() - attempt.startedMs > SLOW_MS
}

const isFull = <Given>(line: Line<Given>, limits: Limits): boolean => {
  const perPlace = isSlow(line, limits) ? WAITING_PER_SLOW_PLACE : WAITING_PER_ENDPOINT_PLACE
  const ofPartner = Math.ceil(limits.places * WAITING_PER_PLACE * PARTNER_WAITING)
  return line.waiting.length >= limits.endpointPlaces * perPlace || line.partner.waiting >= ofPartner
}

/** The line whose turn it is among those that may start something; it goes to the end of its partner's, and that one too. */
const nextLine = <Given>(state: State<Given>, limits: Limits): Line<Given> | undefined => {
  for (const partner of goRound(state.ring))
    for (const line of goRound(partner.lines)) if (mayStart(state, line, limits)) return line
  return undefined
}

/** Each once, moved to the end as it comes. */
function* goRound<One>(ring: One[]): Generator<One> {
  for (let left = ring.length; left > 0; left -= 1) {
    const one = ring.shift()
    if (one === undefined) return
    ring.push(one)
    yield one
  }
}

/**
 * Takes out the later half of the longest line of the partner that has most waiting, unless even that is modest: then all are
 * busy alike.
 */
const giveUp = <Given>(state: State<Given>): Given[] => {
  const greediest = state.ring.reduce((most, partner) => (partner.waiting > most.waiting ? partner : most))
  if (greediest.waiting <= MODEST_WAITING) return []
  const longest = greediest.lines.reduce((most, line) =>
    line.waiting.length > most.waiting.length ? line : most,
  )
  const given = longest.waiting.splice(Math.floor(longest.waiting.length / 2))
  state.waiting -= given.length
  greediest.waiting -= given.length
  if (longest.waiting.length === 0) leaveRing(state, longest)
  return given
}

const lineOf = <Given extends Offer>(state: State<Given>, given: Given): Line<Given> => {
  const key = endpointKey(given)
  const known = state.lines.get(key)
  if (known) return known
  const partner = state.partners.get(given.partnerId) ?? nobodyYet<Given>()
  partner.endpoints += 1
  state.partners.set(given.partnerId, partner)
  const line: Line<Given> = { partner, waiting: [], running: [] }
  state.lines.set(key, line)
  return line
}

const nobodyYet = <Given>(): Partner<Given> => ({ endpoints: 0, running: 0, waiting: 0, lines: [] })

const addLast = <Given>(state: State<Given>, line: Line<Given>, given: Given): void => {
  if (line.partner.lines.length === 0) state.ring.push(line.partner)
  if (line.waiting.length === 0) line.partner.lines.push(line)
  line.waiting.push(given)
  line.partner.waiting += 1
  state.waiting += 1
}

const takeFirst = <Given>(state: State<Given>, line: Line<Given>): Given | undefined => {
  const given = line.waiting.shift()
  line.partner.waiting -= 1
  state.waiting -= 1
  if (line.waiting.length === 0) leaveRing(state, line)
  return given
}

const leaveRing = <Given>(state: State<Given>, line: Line<Given>): void => {
  const { partner } = line
  partner.lines = partner.lines.filter((other) => other !== line)
  if (partner.lines.length === 0) state.ring = state.ring.filter((other) => other !== partner)
}

const begin = <Given>(state: State<Given>, line: Line<Given>, attempt: { startedMs: number }): void => {
  line.running.push(attempt)
  line.partner.running += 1
  state.running += 1
}

const end = <Given extends Offer>(
  state: State<Given>,
  line: Line<Given>,
  attempt: { startedMs: number },
  given: Given,
): void => {
  line.running.splice(line.running.indexOf(attempt), 1)
  line.partner.running -= 1
  state.running -= 1
  letGo(state, given)
}

/** Forgets the delivery, and its endpoint and its partner where that was the last of theirs. */
const letGo = <Given extends Offer>(state: State<Given>, given: Given): void => {
  state.inHand.delete(given.deliveryId)
  const key = endpointKey(given)
  const line = state.lines.get(key)
  if (!line || line.running.length > 0 || line.waiting.length > 0) return
  state.lines.delete(key)
  const { partner } = line
  partner.endpoints -= 1
  // Another of its endpoints may have nothing but what is about to leave: it goes on counting with this one.
  if (partner.endpoints === 0) state.partners.delete(given.partnerId)
}
