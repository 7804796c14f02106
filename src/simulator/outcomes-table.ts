import type { Outcome } from './outcome.ts'
import { callText, outcomeText } from './outcome-text.ts'
import { OUTCOMES, USUAL_OUTCOMES } from './outcomes.ts'

const phonesText = (outcome: Outcome): string => outcome.phones.join(', ')

const amountsText = (outcome: Outcome): string => outcome.amountsKes.join(', ') || 'any other'

const isPayments = ({ call }: Outcome): boolean => call === 'push' || call === 'query'

const RARE_ONES = OUTCOMES.filter((outcome) => !USUAL_OUTCOMES.includes(outcome))

const asMarkdown = (headings: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)

const HEADINGS = ['Outcome', 'Phone', 'Amount (KES)', 'Answer to the push', 'Callback', 'Query (4999 before)']

const paymentsAsMarkdown = (outcomes: readonly Outcome[]): string[] =>
  asMarkdown(
    HEADINGS,
    outcomes.map((outcome) => {
      const { answer, callback, query } = outcomeText(outcome)
      return [`\`${outcome.name}\``, phonesText(outcome), amountsText(outcome), answer, callback, query]
    }),
  )

/** The table of the usual outcomes in Markdown, a line an element, for the documentation. */
export const outcomesAsMarkdown = (): string[] => paymentsAsMarkdown(USUAL_OUTCOMES)

/** The same of the rare outcomes of payments. */
export const rareOutcomesAsMarkdown = (): string[] => paymentsAsMarkdown(RARE_ONES.filter(isPayments))

/** The same of the outcomes of calls that belong to no payment. */
export const callOutcomesAsMarkdown = (): string[] =>
  asMarkdown(
    ['Outcome', 'What happens'],
    RARE_ONES.filter((outcome) => !isPayments(outcome)).map((outcome) => [
      `\`${outcome.name}\``,
      callText(outcome),
    ]),
  )

/** One outcome in words: the answer where it is not the usual one, the callbacks, the query where it has more to tell. */
const effectText = (outcome: Outcome): string => {
  if (!isPayments(outcome)) return callText(outcome)
  const { answer, callback, query } = outcomeText(outcome)
  if (query === 'no such payment') return answer
  const parts = [`callback ${callback}`]
  if (answer !== 'accepted') parts.unshift(answer)
  if (callback === 'none' || outcome.call === 'query') parts.push(`query ${query}`)
  return parts.join('; ')
}

/** The table of all outcomes as lines of plain text, for `--help` and the simulator's own front page. */
export const outcomesAsText = (): string[] => {
  const rows = OUTCOMES.map((outcome) => ({
    name: outcome.name,
    phone: outcome.phones[0] ?? '',
    amount: isPayments(outcome) ? amountsText(outcome) : '',
    effect: effectText(outcome),
  }))
  const lines = [{ name: 'OUTCOME', phone: 'PHONE', amount: 'AMOUNT', effect: 'WHAT HAPPENS' }, ...rows]
  const nameWidth = Math.max(...lines.map((line) => line.name.length))
  return [
    "The payer's phone number chooses the outcome, and the amount (KES) where the phone leaves something open;",
    'a consumer key that is the name of an outcome chooses it for its calls. Else the payment is paid.',
    'SIMULATOR_MISBEHAVIOURS ("calls-back-twice=0.1,token-html-503=0.05") draws outcomes for the run, by SIMULATOR_SEED.',
    'The number of a callback or query is its result code: 0 is paid, all others have failed.',
    'One delay is the time from a prompt to its callback (SIMULATOR_CALLBACK_DELAY_MS).',
    '',
    ...lines.map(
      (line) =>
        `${line.name.padEnd(nameWidth)}  ${line.phone.padEnd(12)}  ${line.amount.padEnd(9)}  ${line.effect}`,
    ),
  ]
}
