import { type Ending, OUTCOMES, type Outcome, PAID_ENDINGS, USUAL_OUTCOMES } from './outcomes.ts'
import { ALREADY_REGISTERED, STILL_PROCESSING } from './wrong-reply.ts'

/**
 * What the answers of some outcomes are, and what is added about callbacks and queries: words that the data do not say.
 */
const ANSWERS: Record<string, string> = {
  'callback-before-reply': 'accepted once the callback was answered',
  'slow-reply': 'accepted after 20 delays',
  'old-ids': 'accepted, with ids as before 2022',
  'one-prompt-a-payer': 'accepted, unless this payer has a prompt open: then as `subscriber-locked`',
  'accepted-with-a-number': 'accepted, with ResponseCode as a number',
  'tokens-end-earlier-ones': 'the new token ends those that its consumer key had before',
  'token-expires-in-a-number': 'expires_in is a number',
  'pull-offset-stands-still': 'every offset gives the first page',
  'pull-flat-rows': 'the rows are one list, not a list in a list',
  'pull-registered-as-400': 'a second registration: HTTP 400 with ResponseStatus 1001, already Registered',
  'pull-registered-as-error': `a second registration: ${ALREADY_REGISTERED.says}`,
}

const CALLBACKS: Record<string, string> = {
  'callback-with-balance': 'Amount as 1.00, and a Balance',
  'callback-with-empty-balance': 'Amount as 1.00, and a Balance without Value',
  'callback-in-strings': 'every number as a string',
  'masked-phone': 'PhoneNumber as 2547 ***** 126',
  'hashed-phone': 'PhoneNumber as its SHA-256',
  'other-amount': 'Amount is one shilling more than asked',
  'failure-with-empty-items': 'with items that have no Value',
  'failure-with-items': 'with all items but a receipt',
  'callback-with-odd-items': 'what is no item before and after the items',
  'callback-with-odd-code': 'the code as "0" and itself, such as "00"',
  'callback-with-code-twice': 'ResultCode twice, 1032 first',
  'callback-after-byte-order-mark': 'after a byte order mark',
  'callback-still-processing': 'as 1037 with "The transaction is still under processing"',
}

const QUERIES: Record<string, string> = {
  'query-pending-as-error': `until then every other query: ${STILL_PROCESSING.says}`,
  'query-pending-under-a-code': 'until then every other query: 1037 with "still under processing"',
  'query-in-numbers': 'every other query: codes as numbers',
}

const isPayments = ({ call }: Outcome): boolean => call === 'push' || call === 'query'

const delays = (count: number): string => `${count} ${count === 1 ? 'delay' : 'delays'}`

const when = (afterDelays: number): string => (afterDelays === 0 ? 'at once' : `after ${delays(afterDelays)}`)

/** The answer to the push, or to the call that belongs to no payment. */
const answerText = ({ name, call, does: { answer, fault } }: Outcome): string => {
  const words = ANSWERS[name]
  if (words !== undefined) return words
  if (answer !== undefined && answer !== 'after-callback') {
    return `${answer.wrong.says}; ${answer.prompted ? 'yet the payer was' : 'nobody is'} prompted`
  }
  return fault && call !== 'query' ? fault.says : 'accepted'
}

/** Whether the push of an outcome comes to a prompt. */
const prompts = ({ does: { answer } }: Outcome): boolean =>
  answer === undefined || answer === 'after-callback' || answer.prompted

const callbackText = (outcome: Outcome): string => {
  const { endings = PAID_ENDINGS, callbackTimes = 1, callbackLateBy = 0 } = outcome.does
  if (!prompts(outcome) || endings.length === 0 || callbackTimes === 0) return 'none'
  const twice = callbackTimes === 2 ? ' twice' : ''
  const one = ({ result, afterDelays }: Ending): string =>
    `${result.code}${twice} ${when(afterDelays + callbackLateBy)}`
  return [endings.map(one).join(', '), CALLBACKS[outcome.name] ?? []].flat().join('; ')
}

const queryText = (outcome: Outcome): string => {
  const { endings = PAID_ENDINGS, fault } = outcome.does
  if (!prompts(outcome)) return 'no such payment'
  const results = endings.map(({ result, afterDelays }) => `${result.code} ${when(afterDelays)}`)
  const other = fault ? `every other query: ${fault.says}` : (QUERIES[outcome.name] ?? [])
  return [results.join(', ') || '4999 for ever', other].flat().join('; ')
}

const asMarkdown = (headings: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)

const paymentsAsMarkdown = (outcomes: readonly Outcome[]): string[] =>
  asMarkdown(
    ['Outcome', 'Phone', 'Amount (KES)', 'Answer to the push', 'Callback', 'Query (4999 before)'],
    outcomes.map((outcome) => [
      `\`${outcome.name}\``,
      outcome.phones.join(', '),
      String(outcome.amountKes ?? 'any other'),
      answerText(outcome),
      callbackText(outcome),
      queryText(outcome),
    ]),
  )

/** The table of the usual outcomes in Markdown, a line an element, for the documentation. */
export const outcomesAsMarkdown = (): string[] => paymentsAsMarkdown(USUAL_OUTCOMES)

/** The same of the rare outcomes of payments. */
export const rareOutcomesAsMarkdown = (): string[] =>
  paymentsAsMarkdown(OUTCOMES.slice(USUAL_OUTCOMES.length).filter(isPayments))

/** The same of the outcomes of calls that belong to no payment. */
export const callOutcomesAsMarkdown = (): string[] =>
  asMarkdown(
    ['Outcome', 'What happens'],
    OUTCOMES.filter((outcome) => !isPayments(outcome)).map((outcome) => [
      `\`${outcome.name}\``,
      answerText(outcome),
    ]),
  )

/**
 * One outcome in words: the answer where it is not the usual one, the callbacks, the query where its answer differs.
 */
const effectText = (outcome: Outcome): string => {
  const [answer, callback] = [answerText(outcome), callbackText(outcome)]
  if (!isPayments(outcome) || !prompts(outcome)) return answer
  const tellsQuery = callback === 'none' || outcome.call === 'query'
  return [
    answer === 'accepted' ? [] : answer,
    `callback ${callback}`,
    tellsQuery ? `query ${queryText(outcome)}` : [],
  ]
    .flat()
    .join('; ')
}

/** The table of all outcomes as lines of plain text, for `--help` and the simulator's own front page. */
export const outcomesAsText = (): string[] => {
  const nameWidth = Math.max(...OUTCOMES.map(({ name }) => name.length))
  const line = (name: string, phone: string, amount: string, effect: string): string =>
    `${name.padEnd(nameWidth)}  ${phone.padEnd(12)}  ${amount.padEnd(9)}  ${effect}`
  return [
    "The payer's phone number chooses the outcome, and the amount (KES) where the phone leaves something open;",
    'a consumer key that is the name of an outcome chooses it for its calls. Else the payment is paid.',
    'SIMULATOR_MISBEHAVIOURS ("calls-back-twice=0.1,token-html-503=0.05") draws outcomes for the run, by SIMULATOR_SEED.',
    'The number of a callback or query is its result code: 0 is paid, all others have failed.',
    'One delay is the time from a prompt to its callback (SIMULATOR_CALLBACK_DELAY_MS).',
    '',
    line('OUTCOME', 'PHONE', 'AMOUNT', 'WHAT HAPPENS'),
    ...OUTCOMES.map((outcome) =>
      line(
        outcome.name,
        outcome.phones[0] ?? '',
        isPayments(outcome) ? String(outcome.amountKes ?? 'any other') : '',
        effectText(outcome),
      ),
    ),
  ]
}
