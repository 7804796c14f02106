import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { ExceptionKind } from './exceptions.ts'

/** What is known of something that does not fit, and of its payment. */
export type Described = {
  id: bigint
  kind: ExceptionKind
  receipt: string | null
  otherReceipt: string | null
  paymentId: bigint | null
  /** The payment that its receipt proves. */
  provenId: bigint | null
  paidCents: bigint | null
  otherCents: bigint | null
  completedAt: Date | null
  askedKes: number | null
  state: PaymentStateName | null
  /** The receipt by which its payment is paid here. */
  paidBy: string | null
  /** Its payment asked to be paid to another paybill or till than its receipt was. */
  isPaidElsewhere: boolean
  /** Its payment was asked for after its receipt was paid. */
  isPaidBefore: boolean
}

export type Description = {
  /** What is so, for a person. */
  sentence: string
  /** What a person does about it. */
  advice: string
  /** The command that does it; null where it is done elsewhere first. */
  command: string | null
}

/** Says what does not fit, and what is done about it. Pure. */
export const describeException = (one: Described): Description => {
  const acknowledge = `gateway statement exceptions acknowledge ${one.id} --note "…"`
  const [payment, receipt, paid] = [`Payment ${one.paymentId}`, one.receipt ?? '', toKes(one.paidCents)]
  switch (one.kind) {
    case 'paid_there':
    case 'receipt_there':
      if (one.otherReceipt !== null) return describeGivenBack(one, acknowledge)
      if (one.provenId !== null && one.provenId !== one.paymentId) return describeTaken(one, acknowledge)
      if (one.paidBy !== null) return describeAgain(one, one.paidBy, acknowledge)
      return {
        ...(one.state === 'successful' ? saidOfReceipt(one) : saidOfPaid(one)),
        command: `gateway payments settle ${one.paymentId} --outcome successful --receipt ${receipt} --reason "on M-PESA's statement"`,
      }
    case 'unknown_here':
      if (one.otherReceipt !== null) return describeGivenBack(one, acknowledge)
      if (isOfOther(one) || one.isPaidElsewhere || one.isPaidBefore)
        return {
          sentence: isOfOther(one)
            ? `${payment} asked for ${kesOf(one.askedKes)} and is paid here by ${receipt}, but M-PESA has ${paid} under it${at(one)}.`
            : `${payment} is paid here by ${receipt}, but M-PESA has ${paid} under it${at(one)}${one.isPaidElsewhere ? ' as paid to another paybill or till than it asked for' : ', before it was asked for'}.`,
          advice:
            'Was another receipt meant when it was settled? Agree with its partner who owes what to whom, then say it in a note.',
          command: acknowledge,
        }
      return {
        sentence: `M-PESA has ${paid} under ${receipt}${at(one)}, and no payment here has that receipt or account number.`,
        advice:
          'Paid by hand, past the gateway: say so in a note. Of a payment here after all: settle that one with this receipt.',
        command: acknowledge,
      }
    case 'missing_there':
      return {
        sentence: `${payment}, ${paid}, is paid here by ${receipt}${at(one)}, and the statement does not have it.`,
        advice: 'Ask Safaricom what became of the receipt, then say in a note what they answered.',
        command: acknowledge,
      }
    case 'different_amount':
      return {
        sentence: `${payment} asked for ${kesOf(one.askedKes)}, and M-PESA has ${paid} for it under ${receipt}${at(one)}.`,
        advice: 'Agree with its partner who owes what to whom, then say it in a note.',
        command: acknowledge,
      }
    case 'paid_again':
      return describeAgain(one, one.otherReceipt ?? '', acknowledge)
    case 'taken_here':
      return describeTaken(one, acknowledge)
    case 'twice':
      return {
        sentence: `${receipt} stands on two lines, of ${toKes(one.otherCents)} and of ${paid}${at(one)}.`,
        advice:
          'Export the statement again; if it still does, ask Safaricom, and say in a note what they answered.',
        command: acknowledge,
      }
    case 'reversed':
      if (one.paymentId === null || one.state !== 'successful') return describeGivenBack(one, acknowledge)
      return {
        sentence: `${payment} is paid here by ${receipt}, and M-PESA gave ${paid} of it back by ${one.otherReceipt}${at(one)}.`,
        advice: 'Its partner was told that it is paid: tell it of the reversal, then say so in a note.',
        command: acknowledge,
      }
    case 'given_back':
      return describeUnnamed(one, acknowledge)
    default:
      return one.kind satisfies never
  }
}

const saidOfPaid = (one: Described): Omit<Description, 'command'> => ({
  sentence: `Payment ${one.paymentId} is ${one.state ?? 'unknown'} here, but M-PESA has ${toKes(one.paidCents)} for it under ${one.receipt ?? ''}${at(one)}.`,
  advice: 'Settle it with that receipt: its partner is told that it is paid.',
})

const saidOfReceipt = (one: Described): Omit<Description, 'command'> => ({
  sentence: `Payment ${one.paymentId} is paid here by a receipt that is not known, and M-PESA has ${toKes(one.paidCents)} for it under ${one.receipt ?? ''}${at(one)}.`,
  advice:
    'Settle it with that receipt, which is filled in: its partner was told that it is paid, and is not told again.',
})

/** Whether its receipt proves a payment here that asked for another amount. */
const isOfOther = ({ askedKes, paidCents }: Described): boolean =>
  askedKes !== null && paidCents !== null && BigInt(askedKes) * 100n !== paidCents

const describeAgain = (one: Described, paidBy: string, acknowledge: string): Description => ({
  sentence: `Payment ${one.paymentId} is paid by ${paidBy}, and was paid once more: ${toKes(one.paidCents)} under ${one.receipt ?? ''}${at(one)}.`,
  advice: 'Have the second one reversed at M-PESA, then say so in a note.',
  command: acknowledge,
})

/** What M-PESA has for one payment by a receipt with which another one is settled: it proves no second one. */
const describeTaken = (one: Described, acknowledge: string): Description => ({
  sentence: `Payment ${one.paymentId} is ${one.state ?? 'unknown'} here, but M-PESA has ${toKes(one.paidCents)} for it under ${one.receipt ?? ''}${at(one)}, by which payment ${one.provenId} is paid here.`,
  advice: `Was another receipt meant when payment ${one.provenId} was settled? Agree with the partners of both who owes what to whom, then say it in a note.`,
  command: acknowledge,
})

/** What was given back of a receipt that proves no payment here: nobody is told to settle one with it. */
const describeGivenBack = (one: Described, acknowledge: string): Description => ({
  sentence: `M-PESA gave ${toKes(one.kind === 'reversed' ? one.paidCents : one.otherCents)} back of what ${one.receipt ?? ''} paid, by ${one.otherReceipt ?? ''}${one.kind === 'reversed' ? at(one) : ''}.`,
  advice:
    'Settle no payment as paid with that receipt. If only a part went back, agree with the partner on the rest, and say it in a note.',
  command: acknowledge,
})

const describeUnnamed = (one: Described, acknowledge: string): Description => ({
  sentence: `M-PESA gave ${toKes(one.paidCents)} back by ${one.receipt ?? ''}${at(one)}, and the statement does not say of which receipt.`,
  advice:
    'Ask Safaricom whose payment it was. If it is paid here, tell its partner of the reversal, then say it in a note.',
  command: acknowledge,
})

const toKes = (cents: bigint | null): string => kesOf(cents === null ? null : Number(cents) / 100)

/** `KES 1,500`, and cents only where there are any. */
const kesOf = (amount: number | null): string =>
  amount === null
    ? 'nothing'
    : `KES ${amount.toLocaleString('en-US', { minimumFractionDigits: Number.isInteger(amount) ? 0 : 2 })}`

const at = ({ completedAt }: Described): string =>
  completedAt === null ? '' : ` at ${completedAt.toISOString().slice(0, 19)}Z`
