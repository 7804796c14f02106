import type { Body, Call, RequestCall, Seen } from './history.ts'

// One key is an object of its own: empty, until one request fills it with a payment for good. Such a history can be put in
// order exactly when there is a request that may have filled it, and an instant within that request's time that no call
// contradicts: those which found the payment end after it, those which did not find it begin before it.

/** All ids under which each key was answered or seen. */
export const idsByKey = (history: readonly Call[]): Map<string, Set<number>> => {
  const ids = new Map<string, Set<number>>()
  const note = (key: string, id: number): void => void ids.set(key, (ids.get(key) ?? new Set()).add(id))
  for (const { key, id } of history.flatMap(idsIn)) note(key, id)
  return ids
}

const idsIn = (call: Call): { key: string; id: number }[] => {
  const { answer } = call
  if (call.kind === 'request') {
    return answer.kind === 'success' || answer.kind === 'duplicate' ? [{ key: call.key, id: answer.id }] : []
  }
  if (answer.kind === 'found') return [{ key: answer.payment.reference, id: answer.payment.id }]
  return answer.kind === 'page' ? answer.payments.map(({ reference, id }) => ({ key: reference, id })) : []
}

/** What is wrong with any key. */
export const checkKeys = (history: readonly Call[]): string[] => {
  const requests = Map.groupBy(
    history.filter((call) => call.kind === 'request'),
    ({ key }) => key,
  )
  const looks = looksById(history)
  const ids = idsByKey(history)
  return [
    ...[...ids.keys()]
      .filter((key) => !requests.has(key))
      .map((key) => `nobody asked for ${key}, which is seen`),
    ...[...requests].flatMap(([key, asked]) => checkKey(key, asked, [...(ids.get(key) ?? [])], looks)),
  ]
}

/** A look at one id: what was found, null for nothing. */
type Look = { payment: Seen | null; beganMs: number; endedMs: number }

/** How a payment with a certain id was looked for: by its id, and on every page where it would stand. */
const looksById = (history: readonly Call[]): ((id: number) => Look[]) => {
  const reads = history.filter((call) => call.kind === 'read' && call.reader === 'owner')
  const readsById = Map.groupBy(reads, (call) => (call.kind === 'read' ? call.id : 0))
  const pages = history.filter((call) => call.kind === 'page')
  return (id) => [
    ...(readsById.get(id) ?? []).flatMap(({ answer, beganMs, endedMs }): Look[] => {
      if (answer.kind === 'found') return [{ payment: answer.payment, beganMs, endedMs }]
      return answer.kind === 'not_found' ? [{ payment: null, beganMs, endedMs }] : []
    }),
    ...pages.flatMap(({ answer, before, beganMs, endedMs }): Look[] => {
      if (answer.kind !== 'page') return []
      const isWithin = id < (before ?? Infinity) && id >= (answer.next ?? 0)
      const payment = answer.payments.find((one) => one.id === id) ?? null
      return isWithin || payment !== null ? [{ payment, beganMs, endedMs }] : []
    }),
  ]
}

const checkKey = (
  key: string,
  asked: readonly RequestCall[],
  ids: readonly number[],
  looksAt: (id: number) => Look[],
): string[] => {
  const [id] = ids
  if (ids.length > 1) return [`${key} has ${ids.length} payments: ${ids.join(', ')}`]
  const looks = id === undefined ? [] : looksAt(id)
  const makers = asked.filter(({ answer }) => answer.kind === 'success' || answer.kind === 'unknown')
  const reused = asked.some(({ answer }) => answer.kind === 'key_reused')
  if (id === undefined && !reused) return []
  const tries = makers.map((maker) => whyNot({ maker, asked, looks }))
  if (tries.length === 0) return [`${key}: no request can have made its payment`]
  return tries.includes(null) ? [] : [`${key}: ${tries.find((why) => why !== null)}`]
}

/** Why `maker` cannot have made the payment; null when it can. */
const whyNot = (parts: {
  maker: RequestCall
  asked: readonly RequestCall[]
  looks: readonly Look[]
}): string | null => {
  const { maker, asked, looks } = parts
  const others = asked.filter((call) => call !== maker)
  if (others.some(({ answer }) => answer.kind === 'success')) return 'made a payment twice'
  for (const { body, answer } of others) {
    if (answer.kind === 'duplicate' && !isSame(body, maker.body))
      return 'another body was answered as a duplicate'
    if (answer.kind === 'key_reused' && isSame(body, maker.body))
      return 'the same body was refused as another'
  }
  const changed = looks.find(({ payment }) => payment !== null && !isSame(payment, maker.body))
  if (changed)
    return `is read as ${JSON.stringify(changed.payment)}, asked for as ${JSON.stringify(maker.body)}`
  const after = [
    ...others.filter(({ answer }) => answer.kind === 'duplicate' || answer.kind === 'key_reused'),
    ...looks.filter(({ payment }) => payment !== null),
  ]
  const notYet = looks.filter(({ payment }) => payment === null)
  const fromMs = Math.max(maker.beganMs, ...notYet.map(({ beganMs }) => beganMs))
  const endMs = maker.answer.kind === 'unknown' ? Infinity : maker.endedMs
  const untilMs = Math.min(endMs, ...after.map(({ endedMs }) => endedMs))
  return fromMs <= untilMs
    ? null
    : `is not found by a call that began ${fromMs - untilMs} ms after it was there`
}

const isSame = (one: Body, other: Body): boolean =>
  one.phone === other.phone &&
  one.amountKes === other.amountKes &&
  one.reference === other.reference &&
  one.callbackUrl === other.callbackUrl
