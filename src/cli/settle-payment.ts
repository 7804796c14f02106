import { type Command, Option } from 'commander'
import type { Outcome } from '../database/schema/payments.ts'
import { PaymentSchema } from '../gen/mpesa/gateway/v1/payments_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { PAYMENT_STATES, toPaymentStateName } from '../values/payment-state.ts'
import { usePaymentOperations } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, readId, readReason } from './options.ts'
import { maskRow, print, toText } from './output.ts'

type SettleOptions = ByOptions & {
  outcome: Outcome
  receipt?: string
  reason: string
  dryRun?: true
  anyway?: true
}

/** `payments settle`: an operator's settlement of a payment that nothing else settles. */
export const addSettle = (environment: Environment, payments: Command): Command =>
  payments
    .command('settle')
    .argument('<id>', 'the payment', readId('payment'))
    .description('settle an open payment by hand, as M-PESA’s statement shows it; its partner is notified')
    .addOption(
      new Option('--outcome <outcome>', 'how it ended')
        .choices(['successful', 'failed'])
        .makeOptionMandatory(),
    )
    .option('--receipt <receipt>', 'M-PESA’s receipt, ten letters and digits; needed for a success')
    .requiredOption('--reason <reason>', 'why, for whoever asks later; kept in the payment’s history')
    .option('--dry-run', 'change nothing: say what would be delivered to whom, or why it is refused')
    .option(
      '--anyway',
      'also while its payer may still be prompted or Daraja be asked, and where a statement has another amount, payment or paybill under the receipt, says that it was reversed, or has the payment as paid otherwise',
    )
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExample:\n  gateway payments settle 17 --outcome successful --receipt UE4A11B2C3 --reason "on the statement of 4 May"',
    )
    .action((id: bigint, options: SettleOptions) => settle(environment, id, options))

const settle = async (environment: Environment, paymentId: bigint, options: SettleOptions): Promise<void> => {
  const { outcome, receipt } = options
  const request = {
    paymentId,
    outcome: PAYMENT_STATES[outcome],
    receipt,
    reason: readReason(options.reason),
    validateOnly: options.dryRun === true,
    settleAnyway: options.anyway === true,
  }
  const { payment, fromState, receiptFilledIn, doubts } = await usePaymentOperations(
    environment,
    options.by,
    (service) => service.settlePayment(request),
  )
  if (receiptFilledIn) return printFilledIn(options, paymentId, receipt ?? '')
  if (!options.dryRun) {
    const value = { payment_id: paymentId, state: outcome }
    return print(options, value, `Payment ${paymentId} is ${outcome}. Its partner is notified.`)
  }
  const row = payment === undefined ? {} : maskRow(toRow(PaymentSchema, payment))
  const { partner_id, msisdn, amount_kes, callback_url, result_code, result_desc } = row
  print(
    options,
    { payment_id: paymentId, from_state: toPaymentStateName(fromState), state: outcome, dry_run: true },
    [
      `Payment ${paymentId} of ${toText(msisdn)}, ${toText(amount_kes)} KES, would go from ${toPaymentStateName(fromState)} to ${outcome}.`,
      ...doubts.map(({ what }) => `In spite of this: ${what}.`),
      `Partner ${toText(partner_id)} would get result_code ${toText(result_code)}, "${toText(result_desc)}", at ${toText(callback_url)}.`,
      'Nothing was changed: leave out --dry-run to go on.',
    ],
  )
}

const printFilledIn = (options: SettleOptions, paymentId: bigint, receipt: string): void => {
  const value = { payment_id: paymentId, state: 'successful', receipt_filled_in: receipt }
  const said = 'Its partner is not notified: it knows that it is paid.'
  if (!options.dryRun) {
    print(options, value, `Payment ${paymentId} has the receipt ${receipt} now. ${said}`)
    return
  }
  print(options, { payment_id: paymentId, state: 'successful', receipt_filled_in: receipt, dry_run: true }, [
    `Payment ${paymentId} is successful and has no receipt: ${receipt} would be filled in. ${said}`,
    'Nothing was changed: leave out --dry-run to go on.',
  ])
}
