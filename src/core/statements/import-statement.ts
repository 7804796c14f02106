import { createHash } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isAloneImporting } from '../../database/import-lock.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { noteFound } from './count-found.ts'
import { recordUnknown } from './exceptions.ts'
import { type GivenReference, matchPayments, type Referred } from './match-payments.ts'
import { openRows } from './open-rows.ts'
import { readStatement, type Statement } from './read-statement.ts'
import { StatementError } from './statement-error.ts'
import { type Counts, storeStatement } from './store-statement.ts'
import { forgetUpload, openUpload } from './uploads.ts'
import type { RandomAccess } from './xlsx-rows.ts'

export type StatementImport = {
  database: Database
  uploadId: string
  fileName: string
  /** The paybill or till, where the file does not say; null: it does. */
  shortcode: string | null
  /** What the default account is known by at M-PESA. */
  defaultAccount: { shortcode: string; partyB: string }
  referencesOf: (payment: Referred) => GivenReference[]
  actor: Actor
}

/** What came of it; `known`: the very file was imported before; `caution`: what it cannot show (`cautionOf`). */
export type Imported =
  | { kind: 'imported' | 'known'; statementId: bigint; caution: string | null }
  | { kind: 'no_upload' }
  | { kind: 'busy' }

/**
 * Imports a statement that was handed over: all of it, or nothing where it is broken, in one transaction with its line in
 * the audit log. What does not fit is kept for people; no payment is settled by it. Throws `StatementError`. The file is
 * gone afterwards, however it ended.
 */
export const importStatement = async (options: StatementImport): Promise<Imported> => {
  const { database, uploadId } = options
  const file = await openUpload(database, uploadId)
  if (file === null) return { kind: 'no_upload' }
  try {
    const imported = await importOnce(options, file, await fingerprintOf(file))
    if (imported.kind !== 'busy') await forgetUpload(database, uploadId)
    return imported
  } catch (error) {
    if (error instanceof StatementError) await forgetUpload(database, uploadId)
    throw error
  }
}

const fingerprintOf = async (file: RandomAccess): Promise<Buffer> => {
  const hash = createHash('sha256')
  for await (const part of file.read(0, file.size)) hash.update(part)
  return hash.digest()
}

const importOnce = async (
  options: StatementImport,
  file: RandomAccess,
  fingerprint: Buffer,
): Promise<Imported> => {
  // What an XLSX shares among its cells is read here, which takes a while, and not while the transaction is open.
  const open = await openRows(file)
  try {
    return await importPrepared(options, await readStatement(open), fingerprint)
  } finally {
    await open.rows.return(undefined)
  }
}

const importPrepared = async (
  options: StatementImport,
  statement: Statement,
  fingerprint: Buffer,
): Promise<Imported> => {
  const imported = await options.database.transaction().execute(async (transaction): Promise<Imported> => {
    // Between two statements of SQL rows are read, for longer than any other transaction may be idle.
    await sql`SET LOCAL idle_in_transaction_session_timeout = 0`.execute(transaction)
    if (!(await isAloneImporting(transaction))) return { kind: 'busy' }
    const shortcode = oneShortcode(options.shortcode, statement.head.shortcode)
    const known = await findKnown(transaction, { fingerprint, shortcode })
    const { caution } = statement
    if (known.statementId !== null) return { kind: 'known', statementId: known.statementId, caution }
    const statementId = await importNew(transaction, options, statement, known.fingerprint)
    crashPoint('import_statement.before_commit')
    return { kind: 'imported', statementId, caution }
  })
  crashPoint('import_statement.after_commit')
  return imported
}

/**
 * The statement that was made of the very file, and else the fingerprint of the one that is to be. A file that does not say
 * of which paybill or till it is may have been imported as another one's, by mistake: that one keeps the file's own.
 */
const findKnown = async (
  transaction: Transaction<Schema>,
  { fingerprint, shortcode }: { fingerprint: Buffer; shortcode: string | null },
): Promise<{ statementId: bigint | null; fingerprint: Buffer }> => {
  const find = (given: Buffer) =>
    transaction
      .selectFrom('statements')
      .select(['id', 'shortcode'])
      .where('fingerprint', '=', given)
      .executeTakeFirst()
  const known = await find(fingerprint)
  if (known === undefined || shortcode === null || known.shortcode === shortcode)
    return { statementId: known?.id ?? null, fingerprint }
  const ofItsOwn = createHash('sha256').update(fingerprint).update(shortcode).digest()
  return { statementId: (await find(ofItsOwn))?.id ?? null, fingerprint: ofItsOwn }
}

const importNew = async (
  transaction: Transaction<Schema>,
  options: StatementImport,
  statement: Statement,
  fingerprint: Buffer,
): Promise<bigint> => {
  const { fileName, referencesOf, actor } = options
  const shortcode = shortcodeOf(options.shortcode, statement.head.shortcode)
  const accountIds = await findAccounts(transaction, shortcode, options.defaultAccount)
  const { statementId, counts, period } = await storeStatement(transaction, statement, {
    fingerprint,
    shortcode,
    accountIds,
    fileName,
    importedBy: nameOf(actor),
    referencesOf,
  })
  await matchPayments(transaction, {
    statementId,
    accountIds,
    from: period.from,
    to: period.to,
    referencesOf,
  })
  await recordUnknown(transaction, statementId, counts.lastLine)
  await noteFound(transaction, statementId, counts.storedLines)
  await recordAudit(transaction, {
    actor,
    action: 'imported',
    subject: { kind: 'statement', id: statementId },
    partnerId: null,
    before: null,
    after: { shortcode, covers_from: period.from, covers_to: period.to, ...summaryOf(counts) },
  })
  return statementId
}

const summaryOf = (counts: Counts) => ({
  lines: counts.lines,
  paid_lines: counts.paidLines,
  paid_kes: counts.paidCents / 100,
})

/** What was asked for or the file says; null: neither. */
const oneShortcode = (asked: string | null, said: string | null): string | null => {
  if (asked !== null && said !== null && asked !== said) {
    throw new StatementError(`the file says that it is of ${said}, not of ${asked}`, { field: 'shortcode' })
  }
  return asked ?? said
}

const shortcodeOf = (asked: string | null, said: string | null): string => {
  const shortcode = oneShortcode(asked, said)
  if (shortcode === null) {
    throw new StatementError('the file does not say which paybill or till it is of: give its shortcode', {
      field: 'shortcode',
    })
  }
  return shortcode
}

/** The accounts here that M-PESA knows by a shortcode: the paybill, the till, or the till's head office. */
const findAccounts = async (
  transaction: Transaction<Schema>,
  shortcode: string,
  defaultAccount: { shortcode: string; partyB: string },
): Promise<bigint[]> => {
  const rows = await transaction
    .selectFrom('partner_accounts')
    .select('id')
    .where((eb) => eb.or([eb('shortcode', '=', shortcode), eb('party_b', '=', shortcode)]))
    .execute()
  const isDefault = [defaultAccount.shortcode, defaultAccount.partyB].includes(shortcode)
  const ids = [...(isDefault ? [0n] : []), ...rows.map(({ id }) => id)]
  if (ids.length === 0) {
    throw new StatementError(
      `no account here has the shortcode ${shortcode}: it must be that of DARAJA_SHORTCODE, DARAJA_PARTY_B or of a partner’s account (gateway accounts list)`,
      { field: 'shortcode' },
    )
  }
  return ids
}
