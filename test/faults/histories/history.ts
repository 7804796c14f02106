// What clients of the public API write down: every call with the instants of its beginning and its end, ms of one monotonic
// clock, what was asked, and what was answered. A call that was answered 503, cut off or never answered is `unknown`: what it
// asks for may have taken place at any instant from its beginning on, or never.

/** What is asked for under a key. The reference is the key, so that whoever reads the payment knows whose it is. */
export type Body = { phone: string; amountKes: number; reference: string; callbackUrl: string }

/** A payment as it is read. */
export type Seen = Body & { id: number; state: string; receipt: string | null }

type Unknown = { kind: 'unknown' }
/** An answer that no promise allows; `text` says which. */
type Odd = { kind: 'odd'; text: string }

type Timed = { client: number; beganMs: number; endedMs: number }

export type RequestCall = Timed & {
  kind: 'request'
  key: string
  body: Body
  answer: { kind: 'success' | 'duplicate'; id: number } | { kind: 'key_reused' } | Unknown | Odd
}

/** `reader`: the partner whose payment it is, or another one. */
export type ReadCall = Timed & {
  kind: 'read'
  reader: 'owner' | 'stranger'
  id: number
  answer: { kind: 'found'; payment: Seen } | { kind: 'not_found' } | Unknown | Odd
}

/** One page of a walk through the list, newest first; `next`: where the next page begins, null on the last one. */
export type PageCall = Timed & {
  kind: 'page'
  walk: number
  before: number | null
  answer: { kind: 'page'; payments: Seen[]; next: number | null } | Unknown | Odd
}

export type Call = RequestCall | ReadCall | PageCall

/** A payment that was read, and between which instants. */
export type Observation = { payment: Seen; beganMs: number; endedMs: number }

/** Every payment that the owner has read, by itself or on a page. */
export const observationsOf = (history: readonly Call[]): Observation[] =>
  history.flatMap((call) => {
    const { beganMs, endedMs, answer } = call
    if (answer.kind === 'found') return [{ payment: answer.payment, beganMs, endedMs }]
    return answer.kind === 'page' ? answer.payments.map((payment) => ({ payment, beganMs, endedMs })) : []
  })
