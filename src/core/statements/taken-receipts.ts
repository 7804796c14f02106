import { sql, type Transaction } from 'kysely'
import { anyOf } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { idNamedBy } from '../daraja/unique-reference.ts'
import type { NewException } from './exceptions.ts'
import type { GivenReference, Referred } from './match-payments.ts'
import type { StatementLine } from './read-statement.ts'

type NamingLine = { line: StatementLine; reference: string; namedId: bigint; provenId: bigint }

type Named = Referred & { is_by_hand: boolean }

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
  const naming = lines.flatMap((line) => toNaming(line, proves(line.receipt)))
  if (naming.length === 0) return []
  const payments = await findPayments(
    transaction,
    naming.flatMap(({ namedId, provenId }) => [namedId, provenId]),
  )
  return naming.flatMap(({ line, reference, namedId, provenId }) => {
    const [named, proven] = [payments.get(namedId), payments.get(provenId)]
    if (named === undefined || proven === undefined) return []
    const isOf = (payment: Referred, isUnique: boolean): boolean =>
      referencesOf(payment).some(
        (given) => given.reference.toUpperCase() === reference && given.isUnique === isUnique,
      )
    const isTaken = isOf(named, true) && (proven.is_by_hand || !isOf(proven, false))
    return isTaken ? [toException(line, namedId)] : []
  })
}

const toNaming = (line: StatementLine, provenId: bigint | undefined): NamingLine[] => {
  const { reference } = line
  const namedId = reference === null ? null : idNamedBy(reference)
  return reference === null || namedId === null || provenId === undefined || provenId === namedId
    ? []
    : [{ line, reference: reference.toUpperCase(), namedId, provenId }]
}

/** Those that are there; test payments have no account number at M-PESA. */
const findPayments = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, Named>> => {
  const rows = await transaction
    .selectFrom('payments')
    .select(['id', 'reference', 'callback_nonce'])
    .select(
      sql<boolean>`EXISTS (
        SELECT FROM audit WHERE subject_kind = 'payment' AND subject_id = payments.id::text AND action = 'settled'
      )`.as('is_by_hand'),
    )
    .where('id', '=', anyOf('payments.id', ids))
    .where('partner_id', '>', 0n)
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

const toException = (line: StatementLine, paymentId: bigint): NewException => ({
  kind: 'taken_here',
  receipt: line.receipt,
  paymentId,
  paidCents: line.paidInCents,
  completedAt: line.completedAt,
  reference: line.reference,
})
