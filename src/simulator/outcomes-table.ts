import type { DarajaError } from './daraja-errors.ts'
import { type Answer, type Ending, OUTCOMES, type Outcome } from './outcomes.ts'

const delays = (count: number): string => `${count} ${count === 1 ? 'delay' : 'delays'}`

const errorText = (error: DarajaError): string => `HTTP ${error.status}, ${error.code} ${error.message}`

const answerText = (answer: Answer): string => {
  switch (answer.kind) {
    case 'refused':
      return `${errorText(answer.error)}; nobody is prompted`
    case 'accepted':
      return 'accepted'
    case 'accepted-late':
      return `accepted after ${delays(answer.afterDelays)}`
    case 'accepted-after-callback':
      return 'accepted once the callback was answered'
    case 'error-after-prompt':
      return `${errorText(answer.error)}; yet the payer was prompted`
    case 'cut-after-prompt':
      return 'connection cut without an answer; yet the payer was prompted'
    default:
      return answer satisfies never
  }
}

const endingText = (ending: Ending): string => {
  const twice = ending.callbacks === 2 ? ' twice' : ''
  const when = ending.afterDelays === 0 ? 'at once' : `after ${delays(ending.afterDelays)}`
  return `${ending.result.code}${twice} ${when}`
}

const callbackText = (outcome: Outcome): string =>
  outcome.endings
    .filter((ending) => ending.callbacks > 0)
    .map(endingText)
    .join(', ') || 'none'

const queryText = (outcome: Outcome): string =>
  outcome.endings.length === 0
    ? 'no such payment'
    : outcome.endings
        .map((ending) => `${ending.result.code} after ${delays(ending.afterDelays)}`)
        .join(', ')
        .replace(' after 0 delays', ' at once')

const phonesText = (outcome: Outcome): string => outcome.phones.join(', ')

const amountsText = (outcome: Outcome): string => outcome.amountsKes.join(', ') || 'any other'

const HEADINGS = ['Outcome', 'Phone', 'Amount (KES)', 'Answer to the push', 'Callback', 'Query (4999 before)']

/** The table of outcomes in Markdown, a line an element, for the documentation. */
export const outcomesAsMarkdown = (): string[] => {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rows = OUTCOMES.map((outcome) =>
    row([
      `\`${outcome.name}\``,
      phonesText(outcome),
      amountsText(outcome),
      answerText(outcome.answer),
      callbackText(outcome),
      queryText(outcome),
    ]),
  )
  return [row(HEADINGS), row(HEADINGS.map(() => '---')), ...rows]
}

/** One outcome in words: the answer where it is not the usual one, the callbacks, the query where no callback tells. */
const effectText = (outcome: Outcome): string => {
  const { answer } = outcome
  if (answer.kind === 'refused') return answerText(answer)
  const callbacks = callbackText(outcome)
  const parts = [`callback ${callbacks}`]
  if (answer.kind !== 'accepted') parts.unshift(answerText(answer))
  if (callbacks === 'none') parts.push(`query ${queryText(outcome)}`)
  return parts.join('; ')
}

/** The table of outcomes as lines of plain text, for `--help` and the simulator's own front page. */
export const outcomesAsText = (): string[] => {
  const rows = OUTCOMES.map((outcome) => ({
    name: outcome.name,
    phone: outcome.phones[0] ?? '',
    amount: amountsText(outcome),
    effect: effectText(outcome),
  }))
  const lines = [{ name: 'OUTCOME', phone: 'PHONE', amount: 'AMOUNT', effect: 'WHAT HAPPENS' }, ...rows]
  const nameWidth = Math.max(...lines.map((line) => line.name.length))
  return [
    "The payer's phone number chooses the outcome, else the amount (KES), else the payment is paid.",
    'The number of a callback or query is its result code: 0 is paid, all others have failed.',
    'One delay is the time from a prompt to its callback (SIMULATOR_CALLBACK_DELAY_MS).',
    '',
    ...lines.map(
      (line) =>
        `${line.name.padEnd(nameWidth)}  ${line.phone.padEnd(12)}  ${line.amount.padEnd(9)}  ${line.effect}`,
    ),
  ]
}
