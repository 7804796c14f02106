import { Command, Option } from 'commander'
import { settleByHand } from '../core/settle/settle-by-hand.ts'
import type { Outcome } from '../database/schema/payments.ts'
import { parseId } from '../values/ids.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine } from './output.ts'

type SettleOptions = { outcome: Outcome; receipt?: string; reason: string; by?: string; json?: true }

/** `payments settle`: an operator's word on a payment that nothing else settles. */
export const settlePaymentCommand = (environment: Environment): Command =>
  new Command('settle')
    .argument('<id>', 'the payment')
    .description('settle an open payment by hand, as M-PESA’s statement shows it; its partner is told')
    .addOption(
      new Option('--outcome <outcome>', 'how it ended')
        .choices(['successful', 'failed'])
        .makeOptionMandatory(),
    )
    .option('--receipt <receipt>', 'M-PESA’s receipt, ten letters and digits; needed for a success')
    .requiredOption('--reason <reason>', 'why, for whoever asks later; kept in the payment’s history')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample:\n  gateway payments settle 17 --outcome successful --receipt UE4A11B2C3 --reason "on the statement of 4 May"',
    )
    .action((id: string, options: SettleOptions) => settlePayment(environment, id, options))

const settlePayment = async (environment: Environment, id: string, options: SettleOptions): Promise<void> => {
  const paymentId = parseId(id)
  if (paymentId === null) {
    throw new CommandError(`the payment id must be a positive whole number, not ${id}`)
  }
  const { outcome } = options
  const { name: operator, from } = toOperator(options.by)
  const word = {
    paymentId,
    outcome,
    receipt: readReceipt(options),
    operator,
    from,
    reason: readReason(options.reason),
  }
  const settled = await useDatabase(environment, (database) => settleByHand(database, word))
  if (settled.kind === 'receipt_taken') {
    throw new CommandError(
      `${word.receipt} is the receipt of payment ${settled.paymentId} already, and one receipt proves one payment; nothing was changed`,
    )
  }
  if (settled.kind === 'unchanged') {
    throw new CommandError(
      settled.state === null
        ? `there is no payment ${paymentId}`
        : `payment ${paymentId} is ${settled.state} and cannot become ${outcome}; nothing was changed`,
    )
  }
  if (options.json) return printJson({ payment_id: paymentId, state: outcome })
  printLine(`Payment ${paymentId} is ${outcome}. Its partner is told.`)
}

const readReceipt = ({ outcome, receipt }: SettleOptions): string | null => {
  if (outcome === 'failed') {
    if (receipt !== undefined) throw new CommandError('--receipt is for a success: a failure has none')
    return null
  }
  if (receipt === undefined || !/^[A-Z0-9]{10}$/.test(receipt)) {
    throw new CommandError('--receipt must be the ten letters and digits of the statement, like UE4A11B2C3')
  }
  return receipt
}

const readReason = (text: string): string => {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > 500 || /\p{Cc}/u.test(trimmed)) {
    throw new CommandError('--reason must be 1 to 500 printable characters')
  }
  return trimmed
}
