import { Command } from 'commander'
import { type PayerRecord, PayerService } from '../gen/mpesa/gateway/v1/payers_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { usePayers } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption } from './options.ts'
import { print, printFields, printJson, printLine } from './output.ts'

type EraseOptions = ByOptions & { phone: string }

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
    .requiredOption('--phone <number>', 'the payer’s number, 12 digits')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway payers erase --phone 2547XXXXXXXX')
    .action((options: EraseOptions) => erase(environment, options))
  payers
    .command('export')
    .description('print all that is held on a payer’s number, whole; the audit log keeps who asked')
    .requiredOption('--phone <number>', 'the payer’s number, 12 digits')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway payers export --phone 2547XXXXXXXX --json > held.json')
    .action((options: EraseOptions) => exportAll(environment, options))
  return payers
}

const exportAll = async (environment: Environment, options: EraseOptions): Promise<void> => {
  const records = await usePayers(environment, options.by, async (service) => {
    const all: PayerRecord[] = []
    for (let after: bigint | undefined; ; ) {
      const page = await service.exportPayer({ msisdn: options.phone, after })
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

const erase = async (environment: Environment, options: EraseOptions): Promise<void> => {
  const msisdn = options.phone
  const erased = await usePayers(environment, options.by, (service) => service.erasePayer({ msisdn }))
  const { payments, callbacks, deliveries } = erased
  print(
    options,
    toRow(PayerService.method.erasePayer.output, erased),
    `The number is blanked in ${payments} payments, ${callbacks} callbacks and ${deliveries} deliveries.`,
  )
}
