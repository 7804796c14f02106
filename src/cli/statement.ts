import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Command, Option } from 'commander'
import { EXCEPTION_KINDS, type ExceptionKind } from '../core/statements/exceptions.ts'
import { MOST_PART_BYTES } from '../core/statements/uploads.ts'
import {
  type ImportStatementResponse,
  type ListStatementExceptionsRequestSchema,
  type StatementException,
  type StatementExceptionCount,
  StatementExceptionCountSchema,
  StatementExceptionSchema,
  StatementSchema,
} from '../gen/mpesa/gateway/v1/statements_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { explainTooLarge, MOST_STATEMENT_BYTES } from '../values/statement-size.ts'
import { type StatementClient, useStatements } from './call-service.ts'
import type { Environment } from './environment.ts'
import {
  type ByOptions,
  byOption,
  type JsonOption,
  optional,
  readId,
  readLimit,
  readReason,
} from './options.ts'
import {
  CommandError,
  maskRow,
  print,
  printFields,
  printJson,
  printLine,
  printRows,
  printTable,
} from './output.ts'

type Service = Pick<StatementClient, 'uploadStatementPart'>
type ImportOptions = ByOptions & { shortcode?: string }
type ListOptions = JsonOption & { limit: string; before?: string }
type ExceptionsOptions = ListOptions & { open?: true; statement?: string; kind?: ExceptionKind }
type AcknowledgeOptions = ByOptions & { note: string; statement?: string; kind?: ExceptionKind }

const MAX_LISTED = 1000

/** `statement …`: M-PESA's statements held against the payments here. */
export const statementCommand = (environment: Environment): Command => {
  const statement = new Command('statement').description('hold M-PESA’s statements against the payments here')
  statement
    .command('import')
    .argument('<file>', 'the statement, CSV or XLSX as M-PESA’s portal exports it')
    .description(
      'import a statement, and say what of it and of the payments here does not fit; no payment is changed',
    )
    .option('--shortcode <number>', 'the paybill or till that it is of, where the file does not say')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway statement import statement.csv')
    .action((file: string, options: ImportOptions) => importFile(environment, file, options))
  statement
    .command('list')
    .description('list the statements that were imported, newest first')
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only statements with a smaller id: the next page')
    .action((options: ListOptions) => list(environment, options))
  statement
    .command('show')
    .argument('<id>', 'the statement', readId('statement'))
    .description('show one statement, and how much of it does not fit')
    .action((statementId: bigint, options: JsonOption) => show(environment, statementId, options))
  addExceptions(environment, statement)
  return statement
}

const addExceptions = (environment: Environment, statement: Command): void => {
  const exceptions = statement
    .command('exceptions')
    .description(
      'list what of statements and payments does not fit, newest first, with what is done about it',
    )
  const kindOption = (): Option => new Option('--kind <kind>', 'only of this kind').choices(EXCEPTION_KINDS)
  exceptions
    .command('list', { isDefault: true })
    .description('list what does not fit, newest first')
    .option('--open', 'only what nobody has seen to')
    .option('--statement <id>', 'only of this statement')
    .addOption(kindOption())
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only with a smaller id: the next page')
    .addHelpText('after', '\nExample:\n  gateway statement exceptions --open')
    .action((options: ExceptionsOptions) => listExceptions(environment, options))
  exceptions
    .command('acknowledge')
    .argument('[id]', 'what does not fit', readId('exception'))
    .description('say what it is; no payment is changed')
    .requiredOption('--note <note>', 'what it is, for whoever asks later')
    .option('--statement <id>', 'all of one kind of this statement, instead of one')
    .addOption(kindOption())
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExamples:\n  gateway statement exceptions acknowledge 12 --note "reversed on 27 November"\n  gateway statement exceptions acknowledge --statement 3 --kind unknown_here --note "paid at the counter"',
    )
    .action((id: bigint | undefined, options: AcknowledgeOptions) => acknowledge(environment, id, options))
}

const importFile = async (environment: Environment, file: string, options: ImportOptions): Promise<void> => {
  const imported = await useStatements(environment, options.by, async (service) => {
    const uploadId = randomUUID()
    await upload(service, uploadId, file)
    return service.importStatement({ uploadId, fileName: basename(file), shortcode: options.shortcode })
  })
  if (options.json) return printJson(importedRow(imported))
  const { statement, exceptions } = imported
  const id = statement?.statementId
  printLine(
    imported.alreadyImported
      ? `This file is statement ${id} already: nothing was changed.`
      : `Statement ${id} is imported.`,
  )
  if (statement !== undefined) printFields({}, maskRow(toRow(StatementSchema, statement)))
  printLine('')
  printCounts(exceptions)
  if (imported.caution !== undefined) printLine(imported.caution)
  if (exceptions.some(({ open }) => open > 0))
    printLine(`gateway statement exceptions --open --statement ${id}`)
}

const printCounts = (counts: readonly StatementExceptionCount[]): void => {
  const rows = counts.map(({ kind, exceptions, open, openOrMore }) => ({
    kind,
    exceptions,
    open: openOrMore ? `${open} or more` : open,
  }))
  printTable(rows, 'Everything fits.')
}

const importedRow = ({ statement, alreadyImported, exceptions, caution }: ImportStatementResponse) => ({
  ...(statement && toRow(StatementSchema, statement)),
  already_imported: alreadyImported,
  exceptions: exceptions.map((count) => toRow(StatementExceptionCountSchema, count)),
  ...(caution !== undefined && { caution }),
})

/** Hands a file over as it is read, part by part. */
const upload = async (service: Service, uploadId: string, path: string): Promise<void> => {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`${path} cannot be read: ${error.code ?? error.message}`)
  })
  try {
    const { size } = await file.stat()
    if (size > MOST_STATEMENT_BYTES) throw new CommandError(explainTooLarge(size))
    const buffer = Buffer.alloc(MOST_PART_BYTES)
    for (let at = 0; ; ) {
      const { bytesRead } = await file
        .read(buffer, 0, MOST_PART_BYTES, at)
        .catch((error: NodeJS.ErrnoException) => {
          throw new CommandError(`${path} cannot be read: ${error.code ?? error.message}`)
        })
      if (bytesRead === 0 && at === 0) throw new CommandError(`${path} is empty: export the statement again`)
      if (bytesRead === 0) return
      await service.uploadStatementPart({ uploadId, at: BigInt(at), content: buffer.subarray(0, bytesRead) })
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const request = {
    pageSize: readLimit(options.limit, MAX_LISTED),
    before: optional(options.before, readId('value of --before')),
  }
  const { statements } = await useStatements(environment, undefined, (service) =>
    service.listStatements(request),
  )
  const rows = statements.map((statement) => maskRow(toRow(StatementSchema, statement)))
  const columns = [
    'statement_id',
    'shortcode',
    'covers_from',
    'covers_to',
    'lines',
    'paid_lines',
    'imported_by',
    'file_name',
  ]
  printRows(options, rows, { none: 'No statement was imported yet.', columns })
}

const show = async (environment: Environment, statementId: bigint, options: JsonOption): Promise<void> => {
  const { statement, exceptions, matchedLines } = await useStatements(environment, undefined, (service) =>
    service.getStatement({ statementId }),
  )
  const row = {
    ...(statement && maskRow(toRow(StatementSchema, statement))),
    matched_lines: matchedLines,
  }
  const counts = exceptions.map((count) => toRow(StatementExceptionCountSchema, count))
  const whole = { ...row, exceptions: counts }
  if (options.json) return printJson(whole)
  printFields({}, row)
  printLine('')
  printCounts(exceptions)
}

/** As many as were asked for, or all that fit: one call looks at so many only. */
const listAll = async (
  service: StatementClient,
  asked: MessageInitShape<typeof ListStatementExceptionsRequestSchema>,
  limit: number,
): Promise<StatementException[]> => {
  const found: StatementException[] = []
  for (let { before } = asked; ; ) {
    const request = { ...asked, pageSize: limit - found.length, before }
    const page = await service.listStatementExceptions(request)
    found.push(...page.exceptions)
    if (page.nextBefore === undefined || found.length === limit) return found
    before = page.nextBefore
  }
}

const listExceptions = async (environment: Environment, options: ExceptionsOptions): Promise<void> => {
  const asked = {
    before: optional(options.before, readId('value of --before')),
    statementId: optional(options.statement, readId('value of --statement')),
    kind: options.kind,
    openOnly: options.open === true,
  }
  const limit = readLimit(options.limit, MAX_LISTED)
  const exceptions = await useStatements(environment, undefined, (service) => listAll(service, asked, limit))
  if (options.json) return printJson(exceptions.map((one) => maskRow(toRow(StatementExceptionSchema, one))))
  if (exceptions.length === 0) printLine(options.open ? 'Nothing is open.' : 'Everything fits.')
  for (const one of exceptions) printLines(one)
}

const printLines = ({
  exceptionId,
  state,
  sentence,
  advice,
  command,
  note,
  acknowledgedBy,
}: StatementException): void => {
  printLine(`${exceptionId}  ${state}  ${sentence}`)
  if (state === 'acknowledged') return printLine(`    ${acknowledgedBy ?? ''}: ${note ?? ''}`)
  if (state !== 'open') return
  printLine(`    ${advice}`)
  if (command !== undefined) printLine(`    ${command}`)
}

const acknowledge = async (
  environment: Environment,
  exceptionId: bigint | undefined,
  options: AcknowledgeOptions,
): Promise<void> => {
  const statementId = optional(options.statement, readId('value of --statement'))
  const isOne = exceptionId !== undefined && statementId === undefined && options.kind === undefined
  const areAll = exceptionId === undefined && statementId !== undefined && options.kind !== undefined
  if (!isOne && !areAll) throw new CommandError('give the id of one, or else --statement and --kind')
  const request = { exceptionId, statementId, kind: options.kind, note: readReason(options.note) }
  const { acknowledged } = await useStatements(environment, options.by, (service) =>
    service.acknowledgeStatementExceptions(request),
  )
  print(
    options,
    { acknowledged },
    acknowledged === 0 ? 'Nothing was left to acknowledge.' : `${acknowledged} acknowledged.`,
  )
}
