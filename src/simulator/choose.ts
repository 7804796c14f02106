import { type Behaviour, combine } from './behaviour.ts'
import { createCounts } from './counts.ts'
import type { Ledger, Prompt } from './ledger.ts'
import type { Outcome } from './outcome.ts'
import { chosenBy, chosenByKey } from './outcomes.ts'
import type { Plan } from './plan.ts'

/** How one call goes, and the names of the outcomes that say so; none: all is plain. */
export type Choice = { behaviour: Behaviour; names: string[] }

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
  query(prompt: Prompt, consumerKey: string): Choice
  token(consumerKey: string): Choice
  pull(shortcode: string, consumerKey: string): Choice
}

const MAX_SUBJECTS = 50_000

/** Creates the chooser. Whatever is not plain is counted in the ledger. */
export const createChoose = (options: { plan: Plan; ledger: Ledger }): Choose => {
  const { plan, ledger } = options
  const count = createCounts({ maxTexts: MAX_SUBJECTS })

  const noted = (outcomes: readonly Outcome[]): Choice => {
    const choice = combine(outcomes)
    ledger.countMisbehaviours(choice.names)
    return choice
  }

  const push: Choose['push'] = ({ phone, amountKes, consumerKey }) => {
    const about = `push ${phone} ${amountKes}`
    const subject = `${about} ${count(about)}`
    const chosen = chosenBy(phone, amountKes)
    const others = [...chosenByKey(consumerKey, 'push'), ...plan.drawn('push', subject)]
    return { ...noted([...chosen.filter(({ call }) => call === 'push'), ...others]), chosen, subject }
  }

  const query: Choose['query'] = (prompt, consumerKey) => {
    prompt.queries += 1
    // A payment that chose a fault would else never be told of: every other query is right.
    const chosen = prompt.queries % 2 === 1 ? prompt.chosen.filter(({ call }) => call === 'query') : []
    const drawn = plan.drawn('query', `${prompt.subject} query ${prompt.queries}`)
    return noted([...chosen, ...chosenByKey(consumerKey, 'query'), ...drawn])
  }

  const ofKey = (call: 'token' | 'pull', about: string, consumerKey: string): Choice =>
    noted([...chosenByKey(consumerKey, call), ...plan.drawn(call, `${about} ${count(about)}`)])

  return {
    push,
    query,
    token: (consumerKey) => ofKey('token', `token ${consumerKey}`, consumerKey),
    pull: (shortcode, consumerKey) => ofKey('pull', `pull ${shortcode}`, consumerKey),
  }
}
