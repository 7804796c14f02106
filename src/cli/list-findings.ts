import { type Command, Option } from 'commander'
import { FINDING_KINDS, type FindingKind } from '../core/settle/findings.ts'
import { FindingSchema } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { usePaymentOperations } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, optional, readId, readLimit } from './options.ts'
import { maskRow, print, printRows, toText } from './output.ts'

type FindingsOptions = JsonOption & { kind?: FindingKind; limit: string; before?: string }

type AcknowledgeOptions = ByOptions & { note: string }

const MAX_LISTED = 1000

/** `payments findings`: what did not fit about payments. */
export const addFindings = (environment: Environment, payments: Command): void => {
  const findings = payments
    .command('findings')
    // What stands after the word of a command below is for that command.
    .enablePositionalOptions()
    .option('--json', 'print one line of JSON')
    .description('list what did not fit about payments, the newest payments first')
    .addOption(new Option('--kind <kind>', 'only findings of this kind').choices(FINDING_KINDS))
    .option('--limit <count>', `how many payments at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only payments with a smaller id: the next page')
    .addHelpText('after', '\nExample:\n  gateway payments findings --kind different_amount')
    .action((options: FindingsOptions) => list(environment, options))
  findings
    .command('acknowledge')
    .argument('<id>', 'the finding, as the list of findings or exceptions names it', readId('finding'))
    .description('take a finding out of the exceptions, once somebody has seen to it')
    .requiredOption('--note <note>', 'what was done about it, for whoever asks later')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway payments findings acknowledge 3 --note "refunded on 4 May"')
    .action((id: bigint, options: AcknowledgeOptions) => acknowledge(environment, id, options))
}

const acknowledge = async (
  environment: Environment,
  findingId: bigint,
  options: AcknowledgeOptions,
): Promise<void> => {
  const { note } = options
  const { finding } = await usePaymentOperations(environment, options.by, (service) =>
    service.acknowledgeFinding({ findingId, note }),
  )
  const row = finding === undefined ? {} : maskRow(toRow(FindingSchema, finding))
  print(options, row, `Finding ${findingId} about payment ${toText(row['payment_id'])} is acknowledged.`)
}

const list = async (environment: Environment, options: FindingsOptions): Promise<void> => {
  const { kind } = options
  const pageSize = readLimit(options.limit, MAX_LISTED)
  const before = optional(options.before, readId('value of --before'))
  const { findings } = await usePaymentOperations(environment, undefined, (service) =>
    service.listFindings({ kind, pageSize, before }),
  )
  const rows = findings.map((finding) => maskRow(toRow(FindingSchema, finding)))
  printRows(options, rows, { none: 'Nothing that did not fit is known.' })
}
