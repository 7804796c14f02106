import type { ListedException, OverduePayment } from './list-exceptions.ts'

/** What ends an exception. */
export type Verb = 'settle' | 'cancel' | 'acknowledge'

/** What is the matter and what to do, in one sentence whose numbers are not masked, and the verbs. Pure. */
export const tellException = (exception: ListedException): { sentence: string; verbs: Verb[] } => {
  if (exception.kind !== 'finding') return tellOverdue(exception.payment)
  const { kind, detail } = exception.finding
  return {
    sentence: `${FINDINGS[kind] ?? `What came does not fit (${kind})`}: ${detail}`,
    verbs: ['acknowledge'],
  }
}

const tellOverdue = (payment: OverduePayment): { sentence: string; verbs: Verb[] } => {
  const { state, push_at: pushAt, query_at: queryAt, queries } = payment
  switch (state) {
    case 'accepted': {
      const when = pushAt === null ? '' : `; its push is due at ${pushAt.toISOString()}`
      return {
        sentence: `Nobody has been prompted for it${when}: wait, or cancel it.`,
        verbs: ['cancel', 'settle'],
      }
    }
    case 'submitting':
      return {
        sentence: 'Its push has been under way for too long: its process may have died.',
        verbs: ['settle'],
      }
    case 'unconfirmed': {
      const asked = queryAt === null ? '' : ` Daraja is asked next at ${queryAt.toISOString()}.`
      return {
        sentence: `Nobody knows whether its payer paid: look it up on M-PESA’s statement, and settle it.${asked}`,
        verbs: ['settle'],
      }
    }
    case 'submitted': {
      const next = queryAt === null ? 'is not asked any more' : `is asked next at ${queryAt.toISOString()}`
      return {
        sentence: `Its payer has the prompt and no outcome came: Daraja was asked ${queries ?? 0} times, and ${next}.`,
        verbs: ['settle'],
      }
    }
    case 'successful':
    case 'failed':
      return { sentence: `It is ${state}.`, verbs: [] }
    default:
      return state satisfies never
  }
}

/** What each kind of finding means, for a person. */
const FINDINGS: Readonly<Record<string, string>> = {
  failure_after_success: 'A paid payment was then said to have failed; it stays paid',
  different_receipt: 'Another receipt came for a paid payment, whose payer may have paid twice',
  different_amount: 'Another amount came than was asked for; it settled nothing',
  different_checkout_request_id: 'What came names another push; it settled nothing',
  different_merchant_request_id: 'What came names another push; it settled nothing',
  different_payer: 'What came names another payer; it settled nothing',
  of_another_payment:
    'A callback of another payment came, which had this id before a restore; it settled nothing',
  not_proven: 'Nothing shows that what came is of this payment; it settled nothing',
  receipt_of_another_payment: 'The receipt that came proves another payment already; it settled nothing',
}
