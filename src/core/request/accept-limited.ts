import type { Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { Batcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import {
  type Acceptance,
  type AcceptItem,
  type AcceptParts,
  acceptedOf,
  compare,
  createAcceptBatcher,
  type Entry,
  findKeyHolders,
  firstOfEachKey,
  insertPayments,
  toEntry,
  withNewIds,
} from './accept.ts'
import { addToCounts, lockCounts, type PartnersPayer, payerKeyOf, stateOf } from './limit-counts.ts'
import { type AcceptLimits, judgeLimits, type LimitReached } from './payer-limits.ts'

export type LimitedItem = AcceptItem & { limits: AcceptLimits }

type LimitedEntry = Entry & LimitedItem

type Outcome = { created: Map<LimitedEntry, bigint>; refused: Map<LimitedEntry, LimitReached> }

export type LimitedAcceptor = Batcher<LimitedItem, Acceptance | LimitReached>

/**
 * Makes payments durable that have limits to keep, and otherwise as `createAcceptor` does: in batches of their own,
 * whose transactions count them.
 */
export const createLimitedAcceptor = (parts: AcceptParts): LimitedAcceptor =>
  createAcceptBatcher((items) => accept(parts, items))

/**
 * Accepts requests in one transaction that locks what they are counted in. A request whose idempotency key is taken is
 * no new one: no limit refuses it, and it counts for none. Refusals store nothing.
 */
const accept = async (
  { database, submitTtlMs, numbers, traces }: AcceptParts,
  items: readonly LimitedItem[],
): Promise<(Acceptance | LimitReached)[]> => {
  const entries = items.map(toEntry)
  const firsts = [...firstOfEachKey(entries)]
  const traced = traces?.accepting()
  const { created, refused } = await withNewIds(numbers, (above) =>
    database.transaction().execute(async (transaction) => {
      const outcome = await acceptWithin(transaction, { submitTtlMs, firsts, above })
      crashPoint('accept_limited.before_commit')
      return outcome
    }),
  )
  crashPoint('accept_limited.after_commit')
  traced?.(acceptedOf(created))
  await numbers.given([...created.values()])
  const refusedKeys = new Map([...refused].map(([entry, reached]) => [entry.keyText, reached]))
  const refusalOf = (entry: LimitedEntry): LimitReached | undefined =>
    refused.get(entry) ?? (entry.keyText === null ? undefined : refusedKeys.get(entry.keyText))
  const repeated = entries.filter((entry) => !created.has(entry) && refusalOf(entry) === undefined)
  const holders = await findKeyHolders(database, repeated)
  return entries.map((entry) => {
    const paymentId = created.get(entry)
    if (paymentId !== undefined) return { kind: 'accepted', paymentId }
    return refusalOf(entry) ?? compare(entry, holders.get(entry))
  })
}

const acceptWithin = async (
  transaction: Transaction<Schema>,
  options: { submitTtlMs: number; firsts: readonly LimitedEntry[]; above: bigint },
): Promise<Outcome> => {
  const { submitTtlMs, firsts, above } = options
  const counts = await lockCounts(transaction, {
    dayPartners: firsts.filter(isDayCounted).map(({ partnerId }) => partnerId),
    payers: firsts.map(toPayer),
  })
  // After the locks: a transaction that waited before ours may have taken the same key.
  const held = await findKeyHolders(
    transaction,
    firsts.filter(({ keyHash }) => keyHash !== null),
  )
  const judge = createJudge(counts)
  const refused = new Map<LimitedEntry, LimitReached>()
  const admitted = firsts.filter((entry) => {
    if (held.has(entry)) return false
    const reached = judge(entry)
    if (reached !== null) refused.set(entry, reached)
    return reached === null
  })
  if (admitted.length === 0) return { created: new Map(), refused }
  const created = await insertPayments({ database: transaction, submitTtlMs, above, entries: admitted })
  const accepted = [...created].map(([entry, id]) => ({
    id,
    partner_id: entry.partnerId,
    msisdn: entry.request.msisdn,
    amount_kes: entry.request.amountKes,
    isDayCounted: isDayCounted(entry),
  }))
  if (accepted.length > 0) await addToCounts(transaction, counts, accepted)
  return { created, refused }
}

/** Judges one request after the other; those it lets pass count for the next. */
const createJudge = (counts: Awaited<ReturnType<typeof lockCounts>>) => {
  const passed = new Map<string, LimitedEntry[]>()
  const askedKes = new Map<bigint, number>()
  return (entry: LimitedEntry): LimitReached | null => {
    const key = payerKeyOf(toPayer(entry))
    const before = passed.get(key) ?? []
    const counted = stateOf(counts, toPayer(entry))
    const state = {
      ...counted,
      open: counted.open + before.length,
      recent: [...counted.recent, ...before.map(() => ({ id: 0, atMs: counted.nowMs }))],
      askedKes: counted.askedKes + (askedKes.get(entry.partnerId) ?? 0),
    }
    const reached = judgeLimits(entry.limits, state, entry.request.amountKes)
    if (reached !== null) return reached
    passed.set(key, [...before, entry])
    askedKes.set(entry.partnerId, (askedKes.get(entry.partnerId) ?? 0) + entry.request.amountKes)
    return null
  }
}

const isDayCounted = ({ limits }: LimitedItem): boolean => limits.maxDailyKes !== null

const toPayer = (entry: LimitedItem): PartnersPayer => ({
  partner_id: entry.partnerId,
  msisdn: entry.request.msisdn,
})
