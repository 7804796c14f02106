import { Command } from 'commander'
import { type PayerRecord, PayerService } from '../gen/mpesa/gateway/v1/payers_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { usePayers } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, readId } from './options.ts'
import { CommandError, print, printFields, printJson, printLine } from './output.ts'

type PayerOptions = ByOptions & { phone?: string; payment?: bigint }

const PHONE = ['--phone <number>', 'the payer’s number, 12 digits'] as const
const PAYMENT = ['--payment <id>', 'instead of it: the payer of this payment', readId('payment')] as const

/** `payers …`: the people who pay. */
export const payersCommand = (environment: Environment): Command => {
  const payers = new Command('payers').description(
    'what is held on a payer: read it, take the number out of it',
  )
  payers
    .command('erase')
    .description(
      'blank a payer’s number wherever it is kept; amounts, receipts and ids stay. There is no way back',
    )
    .option(...PHONE)
    .option(...PAYMENT)
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExamples:\n  gateway payers erase --payment 17\n  gateway payers erase --phone 2547XXXXXXXX',
    )
    .action((options: PayerOptions) => erase(environment, options))
  payers
    .command('export')
    .description('print all that is held on a payer’s number, whole; the audit log keeps who asked')
    .option(...PHONE)
    .option(...PAYMENT)
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExamples:\n  gateway payers export --payment 17 --json > held.json\n  gateway payers export --phone 2547XXXXXXXX',
    )
    .action((options: PayerOptions) => exportAll(environment, options))
  return payers
}

/** Who is meant, by exactly one of the two. Throws a message for a person otherwise. */
const readPayer = ({ phone, payment }: PayerOptions): { msisdn: string; paymentId: bigint | undefined } => {
  if (phone !== undefined && payment !== undefined)
    throw new CommandError('give --phone or --payment, not both')
  if (payment !== undefined || phone !== undefined) return { msisdn: phone ?? '', paymentId: payment }
  throw new CommandError('give --phone NUMBER, or --payment ID for the payer of that payment')
}

const exportAll = async (environment: Environment, options: PayerOptions): Promise<void> => {
  const { msisdn, paymentId } = readPayer(options)
  const records = await usePayers(environment, options.by, async (service) => {
    const all: PayerRecord[] = []
    for (let after: bigint | undefined; ; ) {
      const page = await service.exportPayer({ msisdn, paymentId, after })
      for (const record of page.records) all.push(record)
      if (page.nextAfter === undefined) return all
      after = page.nextAfter
    }
  })
  if (options.json) return printJson(records.map(({ kind, fields }) => ({ kind, fields })))
  if (records.length === 0) return printLine('Nothing is held on this number.')
  for (const { kind, fields } of records) {
    printLine(kind)
    printFields({}, fields ?? {})
    printLine('')
  }
}

const erase = async (environment: Environment, options: PayerOptions): Promise<void> => {
  const payer = readPayer(options)
  const erased = await usePayers(environment, options.by, (service) => service.erasePayer(payer))
  const { payments, callbacks, deliveries } = erased
  print(
    options,
    toRow(PayerService.method.erasePayer.output, erased),
    `The number is blanked in ${payments} payments, ${callbacks} callbacks and ${deliveries} deliveries.`,
  )
}
