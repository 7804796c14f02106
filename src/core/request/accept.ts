import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRowsInOrder } from '../../database/given-rows.ts'
import type { PaymentNumbers } from '../../database/mark/number-guard.ts'
import { DatabaseUnavailable } from '../../database/outage.ts'
import { runRows } from '../../database/run-rows.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { CoreTraces } from '../traces.ts'
import { fingerprintOf, hashIdempotencyKey, type PaymentRequest } from './payment-request.ts'

/** What became of a request: a new payment, the one its idempotency key already names, or a key re-used for another. */
export type Acceptance =
  | { kind: 'accepted'; paymentId: bigint }
  | { kind: 'duplicate'; paymentId: bigint }
  | { kind: 'key_reused'; paymentId: bigint }

export type AcceptItem = { partnerId: bigint; request: PaymentRequest }

/** An item with what the statements compare. */
export type Entry = AcceptItem & { keyHash: Buffer | null; fingerprint: Buffer; keyText: string | null }

export type KeyHolder = RowOf<'idempotency_keys', 'payment_id' | 'fingerprint'>

/**
 * What accepts. `submitTtlMs`: for how long a payment may prompt its payer that does not say, ms. `numbers`: keeps ids from being given
 * out twice.
 */
export type AcceptParts = {
  database: Database
  submitTtlMs: number
  numbers: PaymentNumbers
  traces?: CoreTraces | undefined
}

/** Postgres gave an id that was given out before: it is an older copy of itself. Nothing was stored. */
class GivenBefore extends DatabaseUnavailable {
  override name = 'GivenBefore'
}

/** How often a batch is tried with new ids. */
const TRIES = 3

export type Acceptor = Batcher<AcceptItem, Acceptance>

/**
 * Makes payments durable that have no limits to keep, many in one commit: `add` resolves after the commit (law 1). The
 * same idempotency key, within one batch, across batches and across processes, makes one payment (law 2); the loser of
 * a race waits on the index for the winner and is answered with its payment.
 */
export const createAcceptor = (parts: AcceptParts): Acceptor =>
  createAcceptBatcher((items) => accept(parts, items))

export const createAcceptBatcher = <Item extends AcceptItem, Result>(
  accepting: (items: readonly Item[]) => Promise<Result[]>,
): Batcher<Item, Result> =>
  createBatcher({
    maxItems: 500,
    // Measured at 64 callers: one batch of 60 carries a tenth more than two of 30 beside each other.
    maxRunning: 1,
    maxWaiting: 10_000,
    run: (items) => runRows(items, accepting),
  })

/** Accepts requests in one statement. */
const accept = async (
  { database, submitTtlMs, numbers, traces }: AcceptParts,
  items: readonly AcceptItem[],
): Promise<Acceptance[]> => {
  const entries = items.map(toEntry)
  const firsts = firstOfEachKey(entries)
  const traced = traces?.accepting()
  const created = await withNewIds(numbers, (above) =>
    insertPayments({ database, submitTtlMs, above, entries: [...firsts] }),
  )
  traced?.(acceptedOf(created))
  await numbers.given([...created.values()])
  const repeated = entries.filter(
    (entry) => entry.keyHash !== null && !(firsts.has(entry) && created.has(entry)),
  )
  const holders = await findKeyHolders(database, repeated)
  return entries.map((entry) => {
    const paymentId = created.get(entry)
    return paymentId === undefined ? compare(entry, holders.get(entry)) : { kind: 'accepted', paymentId }
  })
}

/** For their traces. */
export const acceptedOf = (created: ReadonlyMap<AcceptItem, bigint>) =>
  [...created].map(([{ partnerId }, paymentId]) => ({ paymentId, partnerId }))

/**
 * Runs what inserts payments with the id that theirs must be above; again once the sequence was raised, when Postgres
 * gave ids that are not.
 */
export const withNewIds = async <Result>(
  numbers: PaymentNumbers,
  insert: (above: bigint) => Promise<Result>,
): Promise<Result> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await insert(numbers.highest())
    } catch (error) {
      if (!(error instanceof GivenBefore) || tries === TRIES) throw error
      await numbers.refused()
    }
  }
}

export const toEntry = <Item extends AcceptItem>(item: Item): Item & Entry => {
  const key = item.request.idempotencyKey
  return {
    ...item,
    keyHash: key === null ? null : hashIdempotencyKey(key),
    fingerprint: fingerprintOf(item.request),
    keyText: key === null ? null : `${item.partnerId} ${key}`,
  }
}

/** Equal keys can meet inside one batch: only the first of each goes to the database. */
export const firstOfEachKey = <One extends Entry>(entries: readonly One[]): Set<One> => {
  const seen = new Set<string>()
  const firsts = entries.filter((entry) => {
    if (entry.keyText === null) return true
    if (seen.has(entry.keyText)) return false
    seen.add(entry.keyText)
    return true
  })
  // Two batches that take the same keys in different orders would wait for each other for ever.
  return new Set(firsts.sort((one, other) => compareTexts(one.keyText ?? '', other.keyText ?? '')))
}

const compareTexts = (one: string, other: string): number => Number(one > other) - Number(one < other)

/**
 * One statement, so one commit, unless `database` is a transaction: the keys first, then the payments whose key was
 * free, and the duty to submit each; nothing, and `GivenBefore`, when an id is not above `above`. Raw SQL, for a
 * multi-row statement from arrays: measured, batches carry 4 times what the best one-row inserts do.
 */
export const insertPayments = async <One extends Entry>(options: {
  database: Database
  submitTtlMs: number
  above: bigint
  entries: readonly One[]
}): Promise<Map<One, bigint>> => {
  const { entries } = options
  crashPoint('accept.before_commit')
  const { rows } = await sql<{ id: bigint; position: bigint; is_new: boolean }>`
    WITH drawn AS MATERIALIZED (
      SELECT nextval('payments_id_seq') AS id, * FROM unnest(
        ${entries.map((entry) => entry.partnerId)}::bigint[],
        ${entries.map((entry) => entry.keyHash)}::bytea[],
        ${entries.map((entry) => entry.fingerprint)}::bytea[],
        ${entries.map((entry) => entry.request.msisdn)}::text[],
        ${entries.map((entry) => entry.request.amountKes)}::integer[],
        ${entries.map((entry) => entry.request.reference)}::text[],
        ${entries.map((entry) => entry.request.callbackUrl)}::text[],
        ${entries.map((entry) => entry.request.metadata)}::json[],
        ${entries.map((entry) => entry.request.expiresInSeconds ?? options.submitTtlMs / 1000)}::double precision[]
      ) WITH ORDINALITY AS given (partner_id, key_hash, fingerprint, msisdn, amount_kes, reference, callback_url, metadata,
                                  prompt_seconds, position)
    ), given AS MATERIALIZED (
      SELECT * FROM drawn WHERE (SELECT min(id) FROM drawn) > ${options.above}
    ), keyed AS (
      INSERT INTO idempotency_keys (partner_id, key_hash, payment_id, fingerprint)
      SELECT partner_id, key_hash, id, fingerprint FROM given WHERE key_hash IS NOT NULL ORDER BY position
      ON CONFLICT (partner_id, key_hash) DO NOTHING
      RETURNING payment_id
    ), fresh AS MATERIALIZED (
      SELECT given.*, CASE WHEN partner_id < 0 THEN partner_id ELSE coalesce((
        SELECT accounts.id FROM partner_accounts accounts
        WHERE accounts.partner_id = given.partner_id AND accounts.ended_at IS NULL
      ), 0) END AS account_id
      FROM given WHERE key_hash IS NULL OR id IN (SELECT payment_id FROM keyed)
    ), added AS (
      INSERT INTO payments (id, partner_id, account_id, msisdn, amount_kes, reference, callback_url, state, submit_by,
                            callback_nonce, metadata)
      SELECT id, partner_id, account_id, msisdn, amount_kes, reference, callback_url, 'accepted',
             now() + make_interval(secs => prompt_seconds),
             -- 62 random bits, and two that are the same in every UUID.
             right(replace(gen_random_uuid()::text, '-', ''), 16), metadata
      FROM fresh
    ), duties AS (
      INSERT INTO to_submit (payment_id, account_id, submit_by)
      SELECT id, account_id, now() + make_interval(secs => prompt_seconds) FROM fresh
    )
    SELECT id, position, true AS is_new FROM fresh
    UNION ALL SELECT id, position, false FROM drawn WHERE NOT EXISTS (SELECT FROM given)
  `.execute(options.database)
  crashPoint('accept.after_commit')
  if (rows.some((row) => !row.is_new)) throw new GivenBefore(new Error('ids were given out before'))
  const created = new Map<One, bigint>()
  for (const row of rows) {
    const entry = entries[Number(row.position) - 1]
    if (entry) created.set(entry, row.id)
  }
  return created
}

/**
 * Who holds the keys that were not free. A second statement, for its snapshot is younger: the winner that made the
 * insert above wait is committed by now, and visible.
 */
export const findKeyHolders = async (
  database: Database,
  entries: readonly Entry[],
): Promise<Map<Entry, KeyHolder>> => {
  if (entries.length === 0) return new Map()
  const { rows } = await sql<KeyHolder & { position: bigint }>`
    SELECT given.position, held.payment_id, held.fingerprint
    FROM ${givenRowsInOrder(entries, {
      partner_id: ['idempotency_keys.partner_id', (entry) => entry.partnerId],
      key_hash: ['bytea', (entry) => entry.keyHash],
    })}
    JOIN idempotency_keys held USING (partner_id, key_hash)
  `.execute(database)
  const holders = new Map<Entry, KeyHolder>()
  for (const row of rows) {
    const entry = entries[Number(row.position) - 1]
    if (entry) holders.set(entry, row)
  }
  return holders
}

/** What a request is that was not the first of its key. */
export const compare = (entry: Entry, holder: KeyHolder | undefined): Acceptance => {
  if (!holder) throw new Error('an idempotency key was taken, yet nobody holds it')
  const kind = holder.fingerprint.equals(entry.fingerprint) ? 'duplicate' : 'key_reused'
  return { kind, paymentId: holder.payment_id }
}
