import { LRUCache } from 'lru-cache'
import type { Ledger, Prompt } from './ledger.ts'
import type { Behaviour, Call, Outcome } from './outcomes.ts'
import { OUTCOMES, PAID_OUTCOME } from './outcomes.ts'
import type { Plan } from './plan.ts'

/** How one call goes, and the names of the outcomes that say so; none: all is plain. */
export type Choice = { behaviour: Behaviour; names: string[] }

/** The outcomes that a payer's phone number and the amount (KES) choose, the phone number's first: one, two or none. */
export const chosenBy = (phone: string, amountKes: number): Outcome[] => [
  ...OUTCOMES.filter((outcome) => outcome.phones.includes(phone)),
  ...OUTCOMES.filter((outcome) => outcome.amountKes === amountKes),
]

/** The outcomes that a consumer key chooses for all the calls of one kind made with it: names, joined by `+`. */
export const chosenByKey = (consumerKey: string, call: Call): Outcome[] => {
  const names = consumerKey.split('+')
  return OUTCOMES.filter((outcome) => outcome.call === call && names.includes(outcome.name))
}

/**
 * Puts outcomes together, the first first: one counts only when none before it says something about the same. `paid` counts
 * only as the first, and then alone.
 */
export const combine = (outcomes: readonly Outcome[]): Choice => {
  if (outcomes[0] === PAID_OUTCOME) return { behaviour: {}, names: [PAID_OUTCOME.name] }
  const behaviour: Behaviour = {}
  const names: string[] = []
  for (const { name, does } of outcomes.filter((outcome) => outcome !== PAID_OUTCOME)) {
    if (Object.keys(does).some((key) => key in behaviour)) continue
    Object.assign(behaviour, does)
    names.push(name)
  }
  return { behaviour, names }
}

/**
 * Chooses how each call goes. What the phone number chooses goes first, then the amount, then the consumer key, then what is
 * drawn for the run; a later one counts where the earlier ones say nothing.
 */
export type Choose = {
  /** `chosen` are the outcomes by phone and amount, `subject` names this push in the draws. */
  push(push: { phone: string; amountKes: number; consumerKey: string }): Choice & {
    chosen: Outcome[]
    subject: string
  }
  query(prompt: Prompt, consumerKey: string): Behaviour
  token(consumerKey: string): Behaviour
  pull(shortcode: string, consumerKey: string): Behaviour
}

/** The newest subjects whose calls are counted. */
const MAX_SUBJECTS = 50_000

/** Creates the chooser. Whatever is not plain is counted in the ledger. */
export const createChoose = (options: { plan: Plan; ledger: Ledger }): Choose => {
  const { plan, ledger } = options
  const counts = new LRUCache<string, { seen: number }>({ max: MAX_SUBJECTS })

  /** The subject with how often it was seen: 1 the first time. */
  const numbered = (subject: string): string => {
    const count = counts.peek(subject) ?? { seen: 0 }
    count.seen += 1
    if (count.seen === 1) counts.set(subject, count)
    return `${subject} ${count.seen}`
  }

  const choose = (
    call: Call,
    subject: string,
    consumerKey: string,
    chosen: readonly Outcome[] = [],
  ): Choice => {
    const own = chosen.filter((outcome) => outcome.call === call)
    const choice = combine([...own, ...chosenByKey(consumerKey, call), ...plan.drawn(call, subject)])
    for (const name of choice.names) ledger.misbehaviours.set(name, (ledger.misbehaviours.get(name) ?? 0) + 1)
    return choice
  }

  return {
    push: ({ phone, amountKes, consumerKey }) => {
      const chosen = chosenBy(phone, amountKes)
      const subject = numbered(`push ${phone} ${amountKes}`)
      return { ...choose('push', subject, consumerKey, chosen), chosen, subject }
    },
    query: ({ entry, chosen, subject }, consumerKey) => {
      entry.queries += 1
      // A payment that chose a fault would else never be told of: every other query is right.
      const faults = entry.queries % 2 === 1 ? chosen : []
      return choose('query', `${subject} query ${entry.queries}`, consumerKey, faults).behaviour
    },
    token: (key) => choose('token', numbered(`token ${key}`), key).behaviour,
    pull: (shortcode, key) => choose('pull', numbered(`pull ${shortcode}`), key).behaviour,
  }
}
