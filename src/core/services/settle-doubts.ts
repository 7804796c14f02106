import type { SettleDoubt } from '../settle/settle-by-hand.ts'

/** What speaks against settling a payment, and what a person does about it, each as a part of a sentence. Pure. */
export const describeDoubt = (
  doubt: SettleDoubt,
  { paymentId, receipt }: { paymentId: bigint; receipt: string | null },
): { what: string; advice: string } => {
  switch (doubt.kind) {
    case 'reversed': {
      const { statementId, by, backCents, at } = doubt
      return {
        what: `statement ${statementId} of M-PESA says that ${receipt} was reversed: its line ${by} gave ${toKes(backCents)} KES back at ${at.toISOString()}, and a reversed receipt proves no payment`,
        advice: 'settle it with a receipt that was not, or as failed, or say that it is settled anyway',
      }
    }
    case 'gave_back':
      return {
        what: `statement ${doubt.statementId} of M-PESA has ${receipt} as the line that gave back ${doubt.paidBy === null ? 'something' : `what ${doubt.paidBy} paid`}, and it proves no payment`,
        advice: 'look for the line that paid it, or say that it is settled anyway',
      }
    case 'of_another':
      return {
        what: `statement ${doubt.statementId} of M-PESA has ${receipt} under the account number of payment ${doubt.paymentId}`,
        advice: 'settle that one with it, or say that this one is settled anyway',
      }
    case 'reported_for_another':
      return {
        what: `${receipt} was reported for payment ${doubt.paymentId}, which is paid by ${doubt.paidBy}: its payer may have paid twice`,
        advice: LOOK,
      }
    case 'of_another_account':
      return {
        what: `statement ${doubt.statementId} of M-PESA has ${receipt} as paid to ${doubt.shortcode}, and payment ${paymentId} asked for it to be paid to ${doubt.asked}`,
        advice: LOOK,
      }
    case 'paid_before':
      return {
        what: `statement ${doubt.statementId} of M-PESA has ${receipt} as paid at ${doubt.paidAt.toISOString()}, and payment ${paymentId} was asked for at ${doubt.askedAt.toISOString()}, after that`,
        advice: LOOK,
      }
    case 'other_amount':
      return {
        what: `a statement of M-PESA has ${toKes(doubt.paidCents)} KES under ${receipt}, and payment ${paymentId} asked for ${doubt.askedKes}`,
        advice: LOOK,
      }
    case 'paid_there':
      return {
        what: `statement ${doubt.statementId} of M-PESA has payment ${paymentId} as paid by ${doubt.receipt}, ${toKes(doubt.paidCents)} KES`,
        advice: `${doubt.paidCents === BigInt(doubt.askedKes) * 100n ? 'settle it as successful with that receipt' : `it asked for ${doubt.askedKes}, so agree with its partner who owes what to whom`}, or say that it is settled anyway`,
      }
    case 'not_there':
      return {
        what: `statement ${doubt.statementId} of M-PESA covers the time at which payment ${paymentId} may have been paid, and has no ${receipt}`,
        advice: LOOK,
      }
    case 'may_settle_itself': {
      const { because, advice } = DUTIES[doubt.duty]
      return {
        what: `payment ${paymentId} may be settled without you, for ${because} (next at ${doubt.dueAt.toISOString()})`,
        advice: `${advice}, or say that it is settled anyway`,
      }
    }
    default:
      return doubt satisfies never
  }
}

const DUTIES = {
  push: { because: 'its payer is still to be prompted', advice: 'cancel it' },
  query: { because: 'Daraja is asked for its outcome', advice: 'wait for that' },
  pull: { because: 'it is looked for in M-PESA’s records', advice: 'wait for that' },
}

const LOOK = 'look whether it is the right receipt, or say that it is settled anyway'

const toKes = (cents: bigint): number => Number(cents) / 100
