import { type Behaviour, combine, type Ending, type PushAnswer } from './behaviour.ts'
import { ALREADY_REGISTERED, STILL_PROCESSING } from './daraja-errors.ts'
import type { Outcome } from './outcome.ts'
import { refusal, wrongReplyText } from './wrong-reply.ts'

/** An outcome in words, a part for each channel. */
export type OutcomeText = { answer: string; callback: string; query: string }

/** What an outcome that a payment chooses does, in words; read from the data, so that no page can say otherwise. */
export const outcomeText = (outcome: Outcome): OutcomeText => {
  const { behaviour } = combine([outcome])
  return { answer: answerText(behaviour), callback: callbackText(behaviour), query: queryText(behaviour) }
}

const delays = (count: number): string => `${count} ${count === 1 ? 'delay' : 'delays'}`

const when = (afterDelays: number): string => (afterDelays === 0 ? 'at once' : `after ${delays(afterDelays)}`)

const answerText = ({ answer, ids, locksPayer, pushCode }: Behaviour): string => {
  const text = answerKindText(answer)
  if (pushCode === 'number') return `${text}, with ResponseCode as a number`
  if (locksPayer) return `${text}, unless this payer has a prompt open: then as \`subscriber-locked\``
  return ids === 'old' ? `${text}, with ids as before 2022` : text
}

const answerKindText = (answer: PushAnswer): string => {
  switch (answer.kind) {
    case 'refused':
      return `${wrongReplyText(answer.wrong)}; nobody is prompted`
    case 'accepted':
      return 'accepted'
    case 'accepted-after-callback':
      return 'accepted once the callback was answered'
    case 'prompted':
      return answer.wrong.kind === 'late'
        ? `accepted ${when(answer.wrong.afterDelays)}`
        : `${wrongReplyText(answer.wrong)}; yet the payer was prompted`
    default:
      return answer satisfies never
  }
}

const callbackText = (behaviour: Behaviour): string => {
  const { answer, endings, callbackTimes, callbackLateBy } = behaviour
  if (answer.kind === 'refused' || endings.length === 0 || callbackTimes === 0) return 'none'
  const twice = callbackTimes === 2 ? ' twice' : ''
  const one = ({ result, afterDelays }: Ending): string =>
    `${result.code}${twice} ${when(afterDelays + callbackLateBy)}`
  return [endings.map(one).join(', '), ...formTexts(behaviour)].join('; ')
}

const formTexts = (behaviour: Behaviour): string[] =>
  [
    behaviour.items === 'balance' && 'Amount as 1.00, and a Balance',
    behaviour.items === 'empty-balance' && 'Amount as 1.00, and a Balance without Value',
    behaviour.numbers === 'strings' && 'every number as a string',
    behaviour.phoneForm === 'masked' && 'PhoneNumber as 2547 ***** 126',
    behaviour.phoneForm === 'hashed' && 'PhoneNumber as its SHA-256',
    behaviour.paidAmount === 'one-more' && 'Amount is one shilling more than asked',
    behaviour.failureItems === 'empty' && 'with items that have no Value',
    SPELLINGS[behaviour.spelling],
    behaviour.failureItems === 'filled' && 'with all items but a receipt',
  ].filter((text) => text !== false)

const SPELLINGS: Record<Behaviour['spelling'], string | false> = {
  plain: false,
  'odd-items': 'what is no item before and after the items',
  'odd-code': 'the code as "0" and itself, such as "00"',
  'code-twice': 'ResultCode twice, 1032 first',
  'byte-order-mark': 'after a byte order mark',
  'still-processing': 'as 1037 with "The transaction is still under processing"',
}

const queryText = (behaviour: Behaviour): string => {
  const { answer, endings, queryFault, pending, queryCodes } = behaviour
  if (answer.kind === 'refused') return 'no such payment'
  const results = endings.map(({ result, afterDelays }) => `${result.code} ${when(afterDelays)}`)
  const text = results.join(', ') || '4999 for ever'
  if (queryCodes === 'numbers') return `${text}; every other query: codes as numbers`
  if (queryFault) return `${text}; every other query: ${wrongReplyText(queryFault)}`
  if (pending === 'error') {
    return `${text}; until then every other query: ${wrongReplyText(refusal(STILL_PROCESSING))}`
  }
  if (pending === 'other-code')
    return `${text}; until then every other query: 1037 with "still under processing"`
  return text
}

/** What an outcome of tokens or of Pull Transactions does, in words. */
export const callText = ({ does }: Outcome): string => {
  const wrong = does.tokenFault ?? does.pullFault
  if (wrong) return wrongReplyText(wrong)
  if (does.endsEarlierTokens) return 'the new token ends those that its consumer key had before'
  if (does.expiresIn === 'number') return 'expires_in is a number'
  if (does.pullRegistered) return `a second registration: ${REGISTERED[does.pullRegistered]}`
  if (does.pullRows === 'flat') return 'the rows are one list, not a list in a list'
  return 'every offset gives the first page'
}

const REGISTERED: Record<Behaviour['pullRegistered'], string> = {
  'http-200': 'HTTP 200 with ResponseStatus 1001',
  'http-400': 'HTTP 400 with ResponseStatus 1001, already Registered',
  error: wrongReplyText(refusal(ALREADY_REGISTERED)),
}
