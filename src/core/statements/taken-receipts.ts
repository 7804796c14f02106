import type { Transaction } from 'kysely'
import { anyOf } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { idNamedBy } from '../daraja/unique-reference.ts'
import type { NewException } from './exceptions.ts'
import type { GivenReference, Referred } from './match-payments.ts'
import type { StatementLine } from './read-statement.ts'

type NamingLine = { line: StatementLine; reference: string; namedId: bigint; provenId: bigint }

type References = (payment: Referred) => GivenReference[]

/**
 * Of lines whose receipt proves a payment here those whose account number only another payment has: the receipt was taken
 * for the wrong one, as an operator may who settles by hand before the statement is imported. A partner may call its own
 * payment by that number, and what its payer paid is no other's. `proves`: which payment a receipt proves.
 */
export const findTaken = async (
  transaction: Transaction<Schema>,
  lines: readonly StatementLine[],
  { proves, referencesOf }: { proves: (receipt: string) => bigint | undefined; referencesOf: References },
): Promise<NewException[]> => {
  const isOf = (payment: Referred | undefined, reference: string, isUnique: boolean): boolean =>
    payment !== undefined &&
    referencesOf(payment).some(
      (given) => given.isUnique === isUnique && given.reference.toUpperCase() === reference,
    )
  const naming = lines.flatMap((line) => toNaming(line, proves(line.receipt)))
  const named = await findReferred(
    transaction,
    naming.map(({ namedId }) => namedId),
  )
  // Nearly never there is one: what looks like one of our references is somebody's own.
  const others = naming.filter(({ reference, namedId }) => isOf(named.get(namedId), reference, true))
  const provenIds = others.map(({ provenId }) => provenId)
  const proven = await findReferred(transaction, provenIds)
  const byHand = await findSettledByHand(transaction, provenIds)
  return others
    .filter(
      ({ reference, provenId }) => byHand.has(provenId) || !isOf(proven.get(provenId), reference, false),
    )
    .map(({ line, namedId }) => toException(line, namedId))
}

const toNaming = (line: StatementLine, provenId: bigint | undefined): NamingLine[] => {
  const { reference } = line
  const namedId = reference === null ? null : idNamedBy(reference)
  return reference === null || namedId === null || provenId === undefined || provenId === namedId
    ? []
    : [{ line, reference: reference.toUpperCase(), namedId, provenId }]
}

/** Those that are there; test payments have no account number at M-PESA. */
const findReferred = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, Referred>> => {
  if (ids.length === 0) return new Map()
  const rows = await transaction
    .selectFrom('payments')
    .select(['id', 'reference', 'callback_nonce'])
    .where('id', '=', anyOf('payments.id', ids))
    .where('partner_id', '>', 0n)
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/** Those whose outcome or receipt an operator gave. */
const findSettledByHand = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Set<bigint>> => {
  if (ids.length === 0) return new Set()
  const rows = await transaction
    .selectFrom('audit')
    .select('subject_id')
    .where('subject_kind', '=', 'payment')
    .where('subject_id', 'in', ids.map(String))
    .where('action', '=', 'settled')
    .execute()
  return new Set(rows.map(({ subject_id: id }) => BigInt(id)))
}

const toException = (line: StatementLine, paymentId: bigint): NewException => ({
  kind: 'taken_here',
  receipt: line.receipt,
  paymentId,
  paidCents: line.paidInCents,
  completedAt: line.completedAt,
  reference: line.reference,
})
