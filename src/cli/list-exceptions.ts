import { type Command, Option } from 'commander'
import { EXCEPTION_KINDS, type ExceptionKind } from '../core/exceptions/list-exceptions.ts'
import { type Exception, ExceptionSchema } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { type Row, toRow } from '../runtime/message-row.ts'
import { usePaymentOperations } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type JsonOption, readLimit } from './options.ts'
import { printRows } from './output.ts'

type ExceptionsOptions = JsonOption & { kind?: ExceptionKind; limit: string; after?: string }

const MAX_LISTED = 1000

/** `payments exceptions`: what needs a human. */
export const addExceptions = (environment: Environment, payments: Command): Command =>
  payments
    .command('exceptions')
    .description(
      'list what needs a human, oldest first: payments that are open for too long, and findings that nobody has acknowledged',
    )
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices(EXCEPTION_KINDS))
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '100')
    .option('--after <token>', 'the next page: the next_page_token that --json shows')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway payments exceptions\n  gateway payments exceptions --kind finding --json',
    )
    .action((options: ExceptionsOptions) => list(environment, options))

const list = async (environment: Environment, options: ExceptionsOptions): Promise<void> => {
  const { kind, after: pageToken = '' } = options
  const pageSize = readLimit(options.limit, MAX_LISTED)
  const { exceptions, nextPageToken } = await usePaymentOperations(environment, undefined, (service) =>
    service.listExceptions({ kind, pageSize, pageToken }),
  )
  const rows = exceptions.map((one) => toExceptionRow(one, nextPageToken))
  printRows(options, rows, { none: 'Nothing needs you.', columns: COLUMNS })
}

/** What fits on a screen. */
const COLUMNS = ['since', 'kind', 'payment_id', 'partner_id', 'amount_kes', 'finding_id', 'verbs', 'sentence']

const toExceptionRow = (exception: Exception, nextPageToken: string): Row => {
  const { kind, since, sentence, verbs } = toRow(ExceptionSchema, exception)
  const { payment, finding } = exception
  return {
    since,
    kind,
    payment_id: payment?.paymentId ?? finding?.paymentId ?? null,
    partner_id: payment?.partnerId ?? null,
    amount_kes: payment?.amountKes ?? null,
    finding_id: finding?.findingId ?? null,
    verbs,
    sentence,
    next_page_token: nextPageToken,
  }
}
