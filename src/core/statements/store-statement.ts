import type { Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { createDayJudge } from './exchanged-days.ts'
import type { StatementHead } from './head.ts'
import type { Statement, StatementLine } from './read-statement.ts'
import { isGivingBack, recordGivenBack } from './reversals.ts'
import { StatementError } from './statement-error.ts'
import { type StoredStatement, storeLines } from './store-lines.ts'

/** Lines that are stored by one statement of SQL. */
const BATCH = 1_000

/** A line may be so far outside of what the file says that it covers, ms: the portal counts by one of two times. */
const OUTSIDE_MS = 24 * 3_600_000

export type Counts = {
  lines: number
  lastLine: number
  paidLines: number
  paidCents: number
  withdrawnCents: number
  /** Lines that it is the first to bring, and those that another statement brought. */
  storedLines: number
  knownLines: number
  /** When the first and the last completed, ms since 1970. */
  firstMs: number
  lastMs: number
}

export type Period = { from: Date; to: Date }

/** Stores a statement with its lines, as they are read. Throws `StatementError` for one that breaks off. */
export const storeStatement = async (
  transaction: Transaction<Schema>,
  { head, lines }: Statement,
  about: { fingerprint: Buffer; fileName: string; importedBy: string } & Omit<StoredStatement, 'statementId'>,
): Promise<{ statementId: bigint; counts: Counts; period: Period }> => {
  refuseOtherAccounts(head)
  const { id: statementId } = await transaction
    .insertInto('statements')
    .values({
      fingerprint: about.fingerprint,
      file_name: about.fileName,
      shortcode: about.shortcode,
      covers_from: new Date(0),
      covers_to: new Date(0),
      imported_by: about.importedBy,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  const { shortcode, accountIds, referencesOf } = about
  const stored = { statementId, shortcode, accountIds, referencesOf }
  const counts = await storeAll(transaction, stored, { head, lines })
  const period = periodOf(head, counts)
  await transaction
    .updateTable('statements')
    .set({
      covers_from: period.from,
      covers_to: period.to,
      lines: counts.lines,
      paid_lines: counts.paidLines,
      paid_cents: BigInt(counts.paidCents),
      withdrawn_cents: BigInt(counts.withdrawnCents),
      known_lines: counts.knownLines,
    })
    .where('id', '=', statementId)
    .execute()
  return { statementId, counts, period }
}

/** Payers pay into the utility account of a paybill or the merchant account of a till; others hold transfers. */
const refuseOtherAccounts = ({ account }: StatementHead): void => {
  if (account === null || !/settlement|charges|working/i.test(account)) return
  throw new StatementError(
    'this is not the account that payers pay into: export the statement of the Utility Account, or of a till the Merchant Account',
  )
}

const storeAll = async (
  transaction: Transaction<Schema>,
  stored: StoredStatement,
  { head, lines }: Pick<Statement, 'head' | 'lines'>,
): Promise<Counts> => {
  const counts = newCounts()
  const days = createDayJudge()
  let paid: StatementLine[] = []
  let givenBack: StatementLine[] = []
  const flush = async (): Promise<void> => {
    const done = await storeLines(transaction, stored, paid)
    counts.storedLines += done.stored
    counts.knownLines += done.known
    await recordGivenBack(transaction, stored.statementId, givenBack)
    paid = []
    givenBack = []
  }
  for await (const line of lines) {
    requireWithin(head, line)
    days.see(line)
    count(counts, line)
    if (line.isCompleted && line.paidInCents > 0) paid.push(line)
    else if (isGivingBack(line)) givenBack.push(line)
    if (paid.length + givenBack.length >= BATCH) await flush()
  }
  await flush()
  days.requireRight()
  return counts
}

const newCounts = (): Counts => ({
  lines: 0,
  lastLine: 0,
  paidLines: 0,
  paidCents: 0,
  withdrawnCents: 0,
  storedLines: 0,
  knownLines: 0,
  firstMs: Number.POSITIVE_INFINITY,
  lastMs: Number.NEGATIVE_INFINITY,
})

const count = (counts: Counts, line: StatementLine): void => {
  counts.lines += 1
  counts.lastLine = line.line
  if (!line.isCompleted) return
  counts.paidLines += line.paidInCents > 0 ? 1 : 0
  counts.paidCents += line.paidInCents
  counts.withdrawnCents += line.withdrawnCents
  if (counts.paidCents + counts.withdrawnCents > Number.MAX_SAFE_INTEGER) {
    throw new StatementError('brings the sum above what any account holds: is it a statement?', {
      line: line.line,
    })
  }
  counts.firstMs = Math.min(counts.firstMs, line.completedAt.getTime())
  counts.lastMs = Math.max(counts.lastMs, line.completedAt.getTime())
}

const requireWithin = ({ from, to }: StatementHead, { line, completedAt }: StatementLine): void => {
  const isWithin =
    (from === null || completedAt.getTime() >= from.getTime() - OUTSIDE_MS) &&
    (to === null || completedAt.getTime() <= to.getTime() + OUTSIDE_MS)
  if (isWithin) return
  throw new StatementError(
    'lies outside the period that the file says it covers: were day and month exchanged when it was saved?',
    { line, column: 'Completion Time' },
  )
}

/**
 * What a statement covers: what it says, but not beyond the time when it was exported; else what lies between its first and
 * its last line. More would make payments missing that it could not have.
 */
const periodOf = (head: StatementHead, { firstMs, lastMs }: Counts): Period => {
  const isEmpty = lastMs < firstMs
  if (isEmpty && (head.from === null || head.to === null)) {
    throw new StatementError('it has no line that was completed, and does not say which time it covers')
  }
  const from = head.from ?? new Date(firstMs)
  if (head.to === null) return { from, to: new Date(lastMs) }
  const exported = head.reportedAt ?? (isEmpty ? from : new Date(lastMs))
  return { from, to: new Date(Math.max(from.getTime(), Math.min(head.to.getTime(), exported.getTime()))) }
}
