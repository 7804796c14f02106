import { checkKeys, idsByKey } from './check-keys.ts'
import { checkWalks } from './check-walks.ts'
import { type Call, type Observation, observationsOf } from './history.ts'

/** Where each state may lead. */
type Arrows = Readonly<Record<string, readonly string[]>>

/**
 * Judges a history of the public API, in the manner of Elle and Porcupine: what is promised of each call and of all of them
 * together, in real time. Pure. A sentence for each broken promise:
 *
 * - of each key, all calls take effect one after the other, each at one instant between its beginning and its end: one request
 *   makes the payment, every other is answered with it, nobody sees the payment before that instant and everybody after it,
 *   with the fields that were asked for;
 * - no two keys have one id; a request that begins after another was answered has the larger id;
 * - a payment's state only advances, and its receipt stays, as seen by whichever readers one after the other;
 * - pages are in order, and neither repeat nor skip a payment that was answered before the walk began;
 * - no other partner sees a payment.
 */
export const checkHistory = (history: readonly Call[], arrows: Arrows): string[] => [
  ...oddAnswers(history),
  ...seenByStrangers(history),
  ...sharedIds(history),
  ...checkKeys(history),
  ...shrinkingIds(history),
  ...checkStates(observationsOf(history), arrows),
  ...checkWalks(history),
]

const oddAnswers = (history: readonly Call[]): string[] =>
  history.flatMap(({ kind, answer }) =>
    answer.kind === 'odd' ? [`a ${kind} was answered ${answer.text}`] : [],
  )

const seenByStrangers = (history: readonly Call[]): string[] =>
  history.flatMap((call) =>
    call.kind === 'read' && call.reader === 'stranger' && call.answer.kind === 'found'
      ? [`another partner sees payment ${call.id}`]
      : [],
  )

const sharedIds = (history: readonly Call[]): string[] => {
  const keys = new Map<number, string>()
  const problems: string[] = []
  for (const [key, ids] of idsByKey(history)) {
    for (const id of ids) {
      const other = keys.get(id)
      if (other !== undefined && other !== key)
        problems.push(`keys ${other} and ${key} have one payment, ${id}`)
      keys.set(id, key)
    }
  }
  return problems
}

/** The id of a key is drawn between its first request and its first answer. */
const shrinkingIds = (history: readonly Call[]): string[] => {
  const drawn = new Map<string, { key: string; id: number; fromMs: number; untilMs: number }>()
  for (const call of history) {
    if (call.kind !== 'request') continue
    const known = drawn.get(call.key) ?? { key: call.key, id: 0, fromMs: call.beganMs, untilMs: Infinity }
    const { answer } = call
    const isAnswered = answer.kind === 'success' || answer.kind === 'duplicate'
    drawn.set(call.key, {
      key: call.key,
      id: isAnswered ? answer.id : known.id,
      fromMs: Math.min(known.fromMs, call.beganMs),
      untilMs: isAnswered ? Math.min(known.untilMs, call.endedMs) : known.untilMs,
    })
  }
  const answered = [...drawn.values()].filter(({ untilMs }) => untilMs < Infinity)
  const byEnd = answered.toSorted((one, other) => one.untilMs - other.untilMs)
  const problems: string[] = []
  let largest: (typeof answered)[number] | undefined
  let next = 0
  for (const later of answered.toSorted((one, other) => one.fromMs - other.fromMs)) {
    for (let ended = byEnd[next]; ended && ended.untilMs < later.fromMs; ended = byEnd[(next += 1)]) {
      if (largest === undefined || ended.id > largest.id) largest = ended
    }
    if (largest !== undefined && later.id < largest.id)
      problems.push(
        `${later.key} has ${later.id}, asked for after ${largest.key} was answered with ${largest.id}`,
      )
  }
  return problems
}

/** What was read later is what was read before, or what may come of it. */
const checkStates = (observations: readonly Observation[], arrows: Arrows): string[] => {
  const reach = reachOf(arrows)
  const byId = Map.groupBy(observations, ({ payment }) => payment.id)
  return [...byId].flatMap(([id, seen]) =>
    checkSeen(seen, reach).map((problem) => `payment ${id} ${problem}`),
  )
}

const checkSeen = (seen: readonly Observation[], reach: Map<string, Set<string>>): string[] => {
  const byEnd = seen.toSorted((one, other) => one.endedMs - other.endedMs)
  const states = new Set<string>()
  const receipts = new Set<string>()
  let next = 0
  for (const { payment, beganMs } of seen.toSorted((one, other) => one.beganMs - other.beganMs)) {
    for (let ended = byEnd[next]; ended && ended.endedMs < beganMs; ended = byEnd[(next += 1)]) {
      states.add(ended.payment.state)
      if (ended.payment.receipt !== null) receipts.add(ended.payment.receipt)
    }
    const stray = [...states].find((was) => !reach.get(was)?.has(payment.state))
    if (stray !== undefined) return [`is ${payment.state} after it was ${stray}`]
    const lost = [...receipts].find((was) => was !== payment.receipt)
    if (lost !== undefined) return [`has receipt ${payment.receipt} after ${lost}`]
  }
  return []
}

/** What may come of each state, itself included. */
const reachOf = (arrows: Arrows): Map<string, Set<string>> => {
  const reached = (from: string): Set<string> => {
    const found = new Set([from])
    for (const state of found) for (const next of arrows[state] ?? []) found.add(next)
    return found
  }
  return new Map(Object.keys(arrows).map((state) => [state, reached(state)]))
}
