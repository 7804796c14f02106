import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Command, Option } from 'commander'
import { TOTALS_BY, type TotalsBy } from '../core/totals/read-totals.ts'
import { type GetTotalsResponse, TotalSchema } from '../gen/mpesa/gateway/v1/statements_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { useStatements } from './call-service.ts'
import type { Environment } from './environment.ts'
import type { JsonOption } from './options.ts'
import { CommandError, printCsv, printJson, printLine, printTable } from './output.ts'

type TotalsOptions = JsonOption & { from: string; to: string; by: TotalsBy; csv?: true }

/** The columns of each kind of total. */
const COLUMNS: Readonly<Record<TotalsBy, readonly string[]>> = {
  day: ['day', 'payments', 'amount_kes'],
  partner: ['partner_id', 'partner', 'payments', 'amount_kes'],
  account: ['account_id', 'shortcode', 'payments', 'amount_kes'],
}

/** `totals`: what was paid. */
export const totalsCommand = (environment: Environment): Command =>
  new Command('totals')
    .description('sum what was paid a day, partner or account; test payments do not count')
    .requiredOption('--from <day>', 'the first day, of Nairobi, like 2026-11-01')
    .requiredOption('--to <day>', 'the last day, at most 366 days in all')
    .addOption(new Option('--by <what>', 'by what it is summed').choices(TOTALS_BY).default('day'))
    .option('--csv', 'print CSV')
    .addHelpText('after', '\nExample:\n  gateway totals --from 2026-11-01 --to 2026-11-30 --by partner --csv')
    .action((options: TotalsOptions) => totals(environment, options))

const totals = async (environment: Environment, options: TotalsOptions): Promise<void> => {
  const { from, to, by, csv } = options
  if (csv && options.json) throw new CommandError('give --csv or --json, not both')
  const answer = await useStatements(environment, undefined, (service) => service.getTotals({ from, to, by }))
  const rows = answer.totals.map((total) => toRow(TotalSchema, total))
  if (options.json)
    return printJson({
      totals: rows,
      payments: answer.payments,
      amount_kes: answer.amountKes,
      summed_to: answer.summedTo && timestampDate(answer.summedTo),
    })
  if (csv) return printCsv(COLUMNS[by], rows)
  printTable(rows, 'Nothing was paid.', COLUMNS[by])
  printLine(sumOf(answer))
  if (answer.summedTo) printLine(`Summed up to ${timestampDate(answer.summedTo).toISOString()}.`)
}

const sumOf = ({ payments, amountKes }: GetTotalsResponse): string =>
  `${payments} payments, KES ${amountKes.toLocaleString('en-US')} in all.`
