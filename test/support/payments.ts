import { sql } from 'kysely'
import { createAcceptor } from '../../src/core/request/accept.ts'
import { createLimitedAcceptor } from '../../src/core/request/accept-limited.ts'
import type { AcceptLimits } from '../../src/core/request/payer-limits.ts'
import { parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import { type EndedPayments, endDuePayments } from '../../src/core/submit/end-due-payments.ts'
import { isKind, type Pushed } from '../../src/core/submit/pushed.ts'
import { recordAccepted } from '../../src/core/submit/record-accepted.ts'
import { recordPushes } from '../../src/core/submit/record-pushes.ts'
import { type TakenPayments, takeDuePayments } from '../../src/core/submit/take-due-payments.ts'
import type { Database } from '../../src/database/connect.ts'
import type { PaymentNumbers } from '../../src/database/mark/number-guard.ts'
import { isTestId } from '../../src/values/test-partner.ts'
import { forgetfulNumbers } from './forgetful-numbers.ts'
import { paymentRequest } from './requests.ts'

/** Accepts so many payments of 150 KES, and returns their ids, oldest first. */
export const acceptPayments = async (
  database: Database,
  count: number,
  options: { submitTtlMs: number; numbers?: PaymentNumbers; limits?: AcceptLimits } = {
    submitTtlMs: 120_000,
  },
): Promise<bigint[]> => {
  const { limits, ...others } = options
  const parts = { database, numbers: forgetfulNumbers, ...others }
  const acceptor = createAcceptor(parts)
  const limited = createLimitedAcceptor(parts)
  const policy = { allowHttp: true, allowPrivateNetworks: true }
  const ids: bigint[] = []
  for (let number = 0; number < count; number += 1) {
    const parsed = parsePaymentRequest(paymentRequest(), { policy })
    if (!('request' in parsed)) throw new Error(JSON.stringify(parsed))
    const item = { partnerId: 1n, request: parsed.request }
    const acceptance = await (limits ? limited.add({ ...item, limits }) : acceptor.add(item))
    if (acceptance.kind === 'limited') throw new Error(`limited: ${acceptance.reason}`)
    ids.push(acceptance.paymentId)
  }
  return ids
}

/** Accepts one payment. */
export const acceptPayment = async (database: Database): Promise<bigint> => {
  const [id] = await acceptPayments(database, 1)
  if (id === undefined) throw new Error('nothing was accepted')
  return id
}

/** Accepts a payment of a partner that no loop of a core takes within the hour. */
export const acceptUntouched = (database: Database, partnerId: bigint): Promise<bigint> =>
  database.transaction().execute(async (transaction) => {
    const paymentId = await acceptPayment(transaction)
    const accountId = isTestId(partnerId) ? partnerId : 0n
    await sql`
      UPDATE payments SET partner_id = ${partnerId}, account_id = ${accountId} WHERE id = ${paymentId}
    `.execute(transaction)
    await sql`UPDATE to_submit SET due_at = now() + interval '1 hour' WHERE payment_id = ${paymentId}`.execute(
      transaction,
    )
    return paymentId
  })

/** Takes due payments, and ends those that are not to be pushed, as the submit loop of one process does. */
export const takePayments = async (
  database: Database,
  options: Partial<Parameters<typeof takeDuePayments>[0]> = {},
): Promise<TakenPayments & EndedPayments> => {
  const taken = await takeDuePayments({
    database,
    accountId: 0n,
    since: '-infinity',
    budget: { shortcode: '174379', call: 'push', perSecond: null },
    limit: 100,
    leaseMs: 60_000,
    alsoOld: true,
    ...options,
  })
  return { ...taken, ...(await endDuePayments(database, taken.toEnd)) }
}

/** Records what came of pushes as the submit loop does, without jitter. */
export const record = async (database: Database, pushes: readonly Pushed[]) => {
  const options = { database, reconcileAfterMs: 90_000, random: () => 0 }
  const recorded = await recordAccepted({ ...options, pushes: pushes.filter(isKind('accepted')) })
  return recordPushes({ ...options, pushes: pushes.filter(({ paymentId }) => !recorded.has(paymentId)) })
}

export const readPayment = (database: Database, id: bigint) =>
  database.selectFrom('payments').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

/** A payment's moves, as `from>to cause`. */
export const readMoves = async (database: Database, id: bigint): Promise<string[]> => {
  const rows = await database
    .selectFrom('payment_history')
    .selectAll()
    .where('payment_id', '=', id)
    .orderBy('at')
    .execute()
  return rows.map((row) => `${row.from_state}>${row.to_state} ${row.cause}`)
}

/** Which duties a payment has. */
export const readDuties = async (database: Database, id: bigint): Promise<string[]> => {
  const { rows } = await sql<{ duty: string }>`
    SELECT duty FROM (
      SELECT 'submit' AS duty, payment_id FROM to_submit
      UNION ALL SELECT 'query', payment_id FROM to_query
      UNION ALL SELECT 'confirm', payment_id FROM to_confirm
    ) duties WHERE payment_id = ${id} ORDER BY duty
  `.execute(database)
  return rows.map(({ duty }) => duty)
}

/** The kinds of what did not fit about a payment. */
export const readFindings = async (database: Database, id: bigint): Promise<string[]> => {
  const rows = await database
    .selectFrom('payment_findings')
    .select('kind')
    .where('payment_id', '=', id)
    .orderBy('kind')
    .execute()
  return rows.map(({ kind }) => kind)
}

/** The bodies of a payment's deliveries, oldest first. */
export const readBodies = async (database: Database, id: bigint): Promise<Record<string, unknown>[]> => {
  const rows = await database
    .selectFrom('deliveries')
    .select('body')
    .where('payment_id', '=', id)
    .orderBy('id')
    .execute()
  return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
}
