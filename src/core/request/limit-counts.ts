import { sql, type Transaction } from 'kysely'
import { dayBegan, mayBePrompted, today } from '../../database/expressions.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { findIdBounds } from '../payments/id-bounds.ts'
import type { LimitState, RecentPrompt } from './payer-limits.ts'

/** A payer of one partner. */
export type PartnersPayer = RowOf<'payer_prompts', 'partner_id' | 'msisdn'>

/** What limits are judged by; updated by each transaction that accepts. */
export type LimitCounts = {
  nowMs: number
  secondsLeftToday: number
  recent: Map<string, RecentPrompt[]>
  /** Ids of payments that are open and may still have their prompt on the phone. */
  open: Set<number>
  askedKes: Map<bigint, number>
}

/** A payer's key in the maps. */
export const payerKeyOf = ({ partner_id, msisdn }: PartnersPayer): string => `${partner_id} ${msisdn}`

/** What holds for one payer just now. */
export const stateOf = (counts: LimitCounts, payer: PartnersPayer): LimitState => {
  const recent = counts.recent.get(payerKeyOf(payer)) ?? []
  return {
    nowMs: counts.nowMs,
    recent,
    open: recent.filter(({ id }) => counts.open.has(id)).length,
    askedKes: counts.askedKes.get(payer.partner_id) ?? 0,
    secondsLeftToday: counts.secondsLeftToday,
  }
}

/**
 * Reads and locks, until the transaction ends, what these partners and payers have asked for, so that no other replica
 * counts the same. Locks are taken in one order: days, then payers.
 */
export const lockCounts = async (
  transaction: Transaction<Schema>,
  options: { dayPartners: readonly bigint[]; payers: readonly PartnersPayer[] },
): Promise<LimitCounts> => {
  const askedKes = await lockDays(transaction, options.dayPartners)
  const { recent, nowMs, secondsLeftToday } = await lockPayers(transaction, options.payers)
  const ids = [...recent.values()].flat().map(({ id }) => id)
  const open = await findOpen(transaction, ids)
  return { nowMs, secondsLeftToday, recent, open, askedKes }
}

const lockDays = async (
  transaction: Transaction<Schema>,
  partners: readonly bigint[],
): Promise<Map<bigint, number>> => {
  if (partners.length === 0) return new Map()
  const { rows } = await sql<{ partner_id: bigint; asked_kes: bigint }>`
    INSERT INTO partner_days (partner_id, day)
    SELECT DISTINCT partner_id, ${today} FROM unnest(${partners}::bigint[]) AS given (partner_id) ORDER BY 1
    ON CONFLICT (partner_id, day) DO UPDATE SET asked_kes = partner_days.asked_kes
    RETURNING partner_id, asked_kes
  `.execute(transaction)
  const askedKes = new Map(rows.map((row) => [row.partner_id, Number(row.asked_kes)]))
  for (const [partnerId, kes] of askedKes) {
    if (kes === 0) askedKes.set(partnerId, await countDay(transaction, partnerId))
  }
  return askedKes
}

/**
 * Counts what a partner has asked for today before anything was counted: nearly nothing where its limit was there when
 * the day began, and all of it where that was set since.
 */
const countDay = async (transaction: Transaction<Schema>, partnerId: bigint): Promise<number> => {
  const { rows: days } = await sql<{ begun: Date }>`SELECT ${dayBegan} AS begun`.execute(transaction)
  const { from } = await findIdBounds(transaction, { createdFrom: days[0]?.begun ?? null, createdTo: null })
  const { rows } = await sql<{ asked_kes: bigint }>`
    UPDATE partner_days SET asked_kes = coalesce((
      SELECT sum(amount_kes) FROM payments
      WHERE payments.partner_id = ${partnerId} AND payments.id >= ${from ?? 0n} AND created_at >= ${dayBegan}
    ), 0)
    WHERE partner_id = ${partnerId} AND day = ${today}
    RETURNING asked_kes
  `.execute(transaction)
  return Number(rows[0]?.asked_kes ?? 0)
}

type PayerRow = PartnersPayer & { recent: RecentPrompt[]; now_ms: number; seconds_left: number }

const lockPayers = async (transaction: Transaction<Schema>, payers: readonly PartnersPayer[]) => {
  const { rows } = await sql<PayerRow>`
    INSERT INTO payer_prompts (partner_id, msisdn)
    SELECT DISTINCT partner_id, msisdn FROM unnest(
      ${payers.map(({ partner_id }) => partner_id)}::bigint[], ${payers.map(({ msisdn }) => msisdn)}::text[]
    ) AS given (partner_id, msisdn) ORDER BY 1, 2
    ON CONFLICT (partner_id, msisdn) DO UPDATE SET touched_at = now()
    RETURNING partner_id, msisdn, recent, (extract(epoch FROM now()) * 1000)::float8 AS now_ms,
              extract(epoch FROM (${today} + 1)::timestamp AT TIME ZONE 'Africa/Nairobi' - now())::float8 AS seconds_left
  `.execute(transaction)
  return {
    recent: new Map(rows.map((row) => [payerKeyOf(row), row.recent])),
    nowMs: rows[0]?.now_ms ?? 0,
    secondsLeftToday: rows[0]?.seconds_left ?? 0,
  }
}

const findOpen = async (transaction: Transaction<Schema>, ids: readonly number[]): Promise<Set<number>> => {
  if (ids.length === 0) return new Set()
  const { rows } = await sql<{ id: bigint }>`
    SELECT id FROM payments WHERE id = ANY(${ids}::bigint[]) AND ${mayBePrompted}
  `.execute(transaction)
  return new Set(rows.map(({ id }) => Number(id)))
}

const HOUR_MS = 3_600_000

/** How many of a payer's payments are remembered at most: more than any limit that is worth having. */
const MAX_RECENT = 200

/** Counts payments that were accepted, in the transaction that accepts them. */
export const addToCounts = async (
  transaction: Transaction<Schema>,
  counts: LimitCounts,
  accepted: readonly (RowOf<'payments', 'id' | 'partner_id' | 'msisdn' | 'amount_kes'> & {
    isDayCounted: boolean
  })[],
): Promise<void> => {
  const payers = Map.groupBy(accepted, payerKeyOf)
  const rows = [...payers].map(([key, ones]) => {
    const added = ones.map(({ id }) => ({ id: Number(id), atMs: Math.round(counts.nowMs) }))
    const recent = [...(counts.recent.get(key) ?? []), ...added]
      .filter(({ id, atMs }) => atMs > counts.nowMs - HOUR_MS || counts.open.has(id))
      .slice(-MAX_RECENT)
    return { partner_id: ones[0]?.partner_id, msisdn: ones[0]?.msisdn, recent: JSON.stringify(recent) }
  })
  await sql`
    UPDATE payer_prompts SET recent = given.recent::jsonb FROM unnest(
      ${rows.map(({ partner_id }) => partner_id)}::bigint[],
      ${rows.map(({ msisdn }) => msisdn)}::text[],
      ${rows.map(({ recent }) => recent)}::text[]
    ) AS given (partner_id, msisdn, recent)
    WHERE payer_prompts.partner_id = given.partner_id AND payer_prompts.msisdn = given.msisdn
  `.execute(transaction)
  const days = accepted.filter(({ isDayCounted }) => isDayCounted)
  if (days.length === 0) return
  await sql`
    UPDATE partner_days SET asked_kes = asked_kes + given.kes FROM (
      SELECT partner_id, sum(kes) AS kes FROM unnest(
        ${days.map(({ partner_id }) => partner_id)}::bigint[], ${days.map(({ amount_kes }) => amount_kes)}::integer[]
      ) AS given (partner_id, kes) GROUP BY partner_id
    ) given
    WHERE partner_days.partner_id = given.partner_id AND day = ${today}
  `.execute(transaction)
}
