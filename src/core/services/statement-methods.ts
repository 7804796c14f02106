import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type {
  AcknowledgeStatementExceptionsRequest,
  StatementService,
} from '../../gen/mpesa/gateway/v1/statements_pb.js'
import type { Log } from '../../runtime/log.ts'
import { MOST_STATEMENT_BYTES } from '../../values/statement-size.ts'
import { toVisibleLine } from '../../values/visible-text.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import { parseReason } from '../deliveries/reason.ts'
import { type Acknowledged, acknowledge, isException } from '../statements/acknowledge.ts'
import { countExceptions, countMatched } from '../statements/count-found.ts'
import { EXCEPTION_KINDS, type ExceptionKind, isExceptionKind } from '../statements/exceptions.ts'
import { type Imported, importStatement } from '../statements/import-statement.ts'
import { lookForExceptions } from '../statements/list-exceptions.ts'
import { findStatement, listStatements } from '../statements/list-statements.ts'
import type { GivenReference, Referred } from '../statements/match-payments.ts'
import { StatementError } from '../statements/statement-error.ts'
import { addPart, MOST_PART_BYTES } from '../statements/uploads.ts'
import { answerTotals } from './get-totals.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { Refused, wrongField } from './refused.ts'
import { toCountMessage, toExceptionMessage, toStatementMessage } from './statement-message.ts'

/** What the methods about statements use. */
export type StatementParts = {
  database: Database
  log: Log
  /** Read when a statement is imported, so that what only looks needs no settings. */
  defaultAccount: () => Pick<DarajaAccount, 'shortcode' | 'partyB'>
  /** Makes what Daraja may have been given as a payment's AccountReference. */
  openReferences: () => (payment: Referred) => GivenReference[]
}

type Methods = OperatorMethods<typeof StatementService, StatementParts>

/** Above every id. */
const NO_ID_YET = 2n ** 63n - 1n

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const readUploadId = (text: string): string => {
  if (!UUID.test(text)) throw wrongField('upload_id', 'must be a UUID in small letters')
  return text
}

const answerUpload: Methods['uploadStatementPart'] = async ({ database }, request) => {
  const uploadId = readUploadId(request.uploadId)
  const { at, content } = request
  if (content.length === 0 || content.length > MOST_PART_BYTES)
    throw wrongField('content', `must have 1 to ${MOST_PART_BYTES} bytes`)
  if (at < 0n || at + BigInt(content.length) > BigInt(MOST_STATEMENT_BYTES))
    throw wrongField('at', `must be where the part begins: a file has at most ${MOST_STATEMENT_BYTES} bytes`)
  const part = await addPart(database, { uploadId, at: Number(at), content: Buffer.from(content) })
  if (part.kind === 'elsewhere') {
    throw new Refused('not_possible', `the next part of the file begins at ${part.size}: nothing was changed`)
  }
  return { size: BigInt(part.size) }
}

const answerImport: Methods['importStatement'] = async (parts, request, actor) => {
  const { database, log } = parts
  const imported = await orRefused(
    importStatement({
      database,
      uploadId: readUploadId(request.uploadId),
      fileName: readFileName(request.fileName),
      shortcode: readShortcode(request.shortcode),
      defaultAccount: parts.defaultAccount(),
      referencesOf: parts.openReferences(),
      actor,
    }),
  )
  if (imported.kind === 'no_upload')
    throw new Refused('not_found', 'no file was handed over under this upload_id, or it was imported since')
  if (imported.kind === 'busy')
    throw new Refused(
      'not_possible',
      'another statement is being imported, or a payer erased: import this one when that is done',
    )
  const { statementId, caution } = imported
  if (imported.kind === 'imported')
    log.info({ event: 'statement_imported', statement_id: Number(statementId) })
  const { statement, exceptions } = await readOne(database, statementId)
  return {
    statement,
    alreadyImported: imported.kind === 'known',
    exceptions,
    caution: caution ?? undefined,
  }
}

const orRefused = async (imported: Promise<Imported>): Promise<Imported> => {
  try {
    return await imported
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    const problem = `${error.message}; nothing was stored`
    throw new Refused('wrong_field', problem, { wrong: { field: error.field, problem } })
  }
}

const readFileName = (text: string): string => {
  const name = text.trim()
  if (name === '' || name.length > 200 || toVisibleLine(name) !== name)
    throw wrongField('file_name', 'must have 1 to 200 printable characters')
  return name
}

const readShortcode = (text: string | undefined): string | null => {
  if (text !== undefined && !/^\d{5,9}$/.test(text))
    throw wrongField('shortcode', 'must be a paybill or till, 5 to 9 digits')
  return text ?? null
}

const readOne = async (database: Database, statementId: bigint) => {
  const row = await findStatement(database, statementId)
  if (row === undefined) throw new Refused('not_found', `there is no statement ${statementId}`)
  const counts = await countExceptions(database, row)
  return {
    row,
    statement: toStatementMessage(row),
    exceptions: counts.map(toCountMessage),
  }
}

const answerList: Methods['listStatements'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 50, max: 1000 })
  const before = readAfterOrBefore('before', request.before) ?? NO_ID_YET
  const rows = await listStatements(database, { before, limit: limit + 1 })
  const page = rows.slice(0, limit)
  return {
    statements: page.map(toStatementMessage),
    nextBefore: rows.length > limit ? page.at(-1)?.id : undefined,
  }
}

const answerGet: Methods['getStatement'] = async ({ database }, { statementId }) => {
  const { row, statement, exceptions } = await readOne(database, statementId)
  return { statement, exceptions, matchedLines: await countMatched(database, row) }
}

const answerListExceptions: Methods['listStatementExceptions'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const look = {
    statementId: request.statementId ?? null,
    kind: request.kind === undefined ? null : readKind(request.kind),
    openOnly: request.openOnly,
    before: readAfterOrBefore('before', request.before) ?? NO_ID_YET,
    limit: limit + 1,
  }
  const { exceptions, lookedTo } = await planByIndex(database, (transaction) =>
    lookForExceptions(transaction, look),
  )
  const page = exceptions.slice(0, limit)
  return {
    exceptions: page.map(toExceptionMessage),
    nextBefore: exceptions.length > limit ? page.at(-1)?.id : (lookedTo ?? undefined),
  }
}

const readKind = (text: string): ExceptionKind => {
  if (!isExceptionKind(text)) throw wrongField('kind', `must be one of ${EXCEPTION_KINDS.join(', ')}`)
  return text
}

const answerAcknowledge: Methods['acknowledgeStatementExceptions'] = async ({ database }, request, actor) => {
  const which = readWhich(request)
  const note = parseReason(request.note)
  if (!note.ok) throw wrongField('note', note.problem)
  if ('id' in which && !(await isException(database, which.id)))
    throw new Refused('not_found', `there is no exception ${which.id}`)
  return { acknowledged: await acknowledge({ database, which, note: note.value, actor }) }
}

const readWhich = (request: AcknowledgeStatementExceptionsRequest): Acknowledged => {
  const { exceptionId, statementId, kind } = request
  if (exceptionId !== undefined) return { id: exceptionId }
  if (statementId === undefined || kind === undefined)
    throw wrongField('exception_id', 'must be given, or else statement_id and kind')
  return { statementId, kind: readKind(kind) }
}

/** StatementService. */
export const statementMethods: Methods = {
  uploadStatementPart: answerUpload,
  importStatement: answerImport,
  listStatements: answerList,
  getStatement: answerGet,
  listStatementExceptions: answerListExceptions,
  acknowledgeStatementExceptions: answerAcknowledge,
  getTotals: answerTotals,
}
