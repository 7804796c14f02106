import { type TimelineEntry, TimelineEntrySchema } from '../gen/mpesa/gateway/v1/payment_timeline_pb.js'
import { PaymentSchema } from '../gen/mpesa/gateway/v1/payments_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { usePaymentOperations } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type JsonOption } from './options.ts'
import { CommandError, printJson, printLine, toText } from './output.ts'

/** Prints all that came of a payment, by all parties, in the order of time; numbers are masked. */
export const showTimeline = async (
  environment: Environment,
  paymentId: bigint,
  options: JsonOption & { whole?: true },
): Promise<void> => {
  if (options.whole) throw new CommandError('--timeline is always masked: leave out --whole')
  const { payment, entries } = await usePaymentOperations(environment, undefined, (service) =>
    service.getPaymentTimeline({ paymentId }),
  )
  const row = payment === undefined ? {} : toRow(PaymentSchema, payment)
  if (options.json) return printJson(Object.assign(row, { timeline: entries.map(toEntryRow) }))
  const { state, msisdn, amount_kes, partner_id } = row
  printLine(
    `Payment ${paymentId} of partner ${toText(partner_id)}: ${toText(amount_kes)} KES by ${toText(msisdn)}, ${toText(state)}`,
  )
  for (const entry of entries) printEntry(entry)
}

const toEntryRow = (entry: TimelineEntry) => ({
  ...toRow(TimelineEntrySchema, entry),
  details: Object.fromEntries(entry.details.map(({ name, value }) => [name, value])),
})

const printEntry = (entry: TimelineEntry): void => {
  const { at } = toRow(TimelineEntrySchema, entry)
  printLine('')
  printLine(`${toText(at)}  ${entry.party.padEnd(8)}  ${entry.ahead ? 'to come: ' : ''}${entry.sentence}`)
  const [indent] = [' '.repeat(36)]
  const details = entry.details.map(({ name, value }) => `${name}: ${value}`).join('; ')
  if (details !== '') printLine(`${indent}${details}`)
  for (const line of (entry.evidence ?? '').split('\n')) if (line !== '') printLine(`${indent}│ ${line}`)
}
