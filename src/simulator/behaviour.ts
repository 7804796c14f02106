import { PAID, type Result } from './results.ts'
import type { WrongReply } from './wrong-reply.ts'

/**
 * An ending that a payment comes to `afterDelays` times the callback delay after its prompt: from then on the query answers
 * with its result, and its callback goes out.
 */
export type Ending = { afterDelays: number; result: Result }

/** How the push itself is answered. Every kind but `refused` has prompted the payer. */
export type PushAnswer =
  | { kind: 'refused'; wrong: WrongReply }
  | { kind: 'accepted' }
  | { kind: 'accepted-after-callback' }
  | { kind: 'prompted'; wrong: WrongReply }

/** How all the calls about one payment, one token or one pull go. */
export type Behaviour = {
  answer: PushAnswer
  /** Whether a push is refused while its payer still has another prompt open. */
  locksPayer: boolean
  /** In the order of time; none: the payment stays open for ever. */
  endings: readonly Ending[]
  /** How often the callback of each ending is posted, all at once with the same bytes. */
  callbackTimes: 0 | 1 | 2
  /** How many delays after an ending its callback is posted. */
  callbackLateBy: number
  /** The ids in the answer: of 2026, or those from before 2022. */
  ids: 'modern' | 'old'
  /** How the answer to the push writes its code. */
  pushCode: 'string' | 'number'
  /** The items of a paid callback: of 2026, or with `Amount` 1.00 and a `Balance` with or without a value. */
  items: 'modern' | 'balance' | 'empty-balance'
  /** How a callback writes its numbers. */
  numbers: 'numbers' | 'strings'
  phoneForm: 'whole' | 'masked' | 'hashed'
  /** What a paid callback and Pull Transactions tell as the amount. */
  paidAmount: 'asked' | 'one-more'
  /** The metadata of a callback that tells a failure. */
  failureItems: 'none' | 'empty' | 'filled'
  /** How a callback is spelled: so that it says something else, or nothing that can be taken for sure. */
  spelling: 'plain' | 'odd-items' | 'odd-code' | 'code-twice' | 'byte-order-mark' | 'still-processing'
  /** How the query says that a payment is open: `other-code` is the code of an ending, with a text that says it is none. */
  pending: 'result-code' | 'error' | 'other-code'
  /** How the answer to the query writes its codes. */
  queryCodes: 'strings' | 'numbers'
  queryFault: WrongReply | null
  tokenFault: WrongReply | null
  expiresIn: 'string' | 'number'
  /** Whether a new token ends the ones that its consumer key had before. */
  endsEarlierTokens: boolean
  pullFault: WrongReply | null
  pullRows: 'nested' | 'flat'
  /** How a second registration is told that it is one. */
  pullRegistered: 'http-200' | 'http-400' | 'error'
  /** Whether an offset leads on; one that does not gives the first page for ever. */
  pullOffset: 'advances' | 'stands-still'
}

/** How everything goes when nothing misbehaves: the payment is paid, in the forms of 2026. */
export const PLAIN: Behaviour = {
  answer: { kind: 'accepted' },
  locksPayer: false,
  endings: [{ afterDelays: 1, result: PAID }],
  callbackTimes: 1,
  callbackLateBy: 0,
  ids: 'modern',
  pushCode: 'string',
  items: 'modern',
  numbers: 'numbers',
  phoneForm: 'whole',
  paidAmount: 'asked',
  failureItems: 'none',
  spelling: 'plain',
  pending: 'result-code',
  queryCodes: 'strings',
  queryFault: null,
  tokenFault: null,
  expiresIn: 'string',
  endsEarlierTokens: false,
  pullFault: null,
  pullRows: 'nested',
  pullRegistered: 'http-200',
  pullOffset: 'advances',
}

/** A part of a behaviour under its name. */
export type Trait = { name: string; does: Partial<Behaviour> }

/**
 * Puts traits together, the first first: a trait counts only when no trait before it says something about the same. `names`
 * are of those that count.
 */
export const combine = (traits: readonly Trait[]): { behaviour: Behaviour; names: string[] } => {
  // Shared by the many that are plain: a run can hold fifty thousand prompts.
  if (traits.length === 0) return { behaviour: PLAIN, names: [] }
  const claimed = new Set<string>()
  const behaviour = { ...PLAIN }
  const names: string[] = []
  for (const { name, does } of traits) {
    const keys = Object.keys(does)
    if (keys.some((key) => claimed.has(key))) continue
    for (const key of keys) claimed.add(key)
    Object.assign(behaviour, does)
    names.push(name)
  }
  return { behaviour, names }
}
