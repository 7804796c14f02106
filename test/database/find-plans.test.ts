import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findIdBounds } from '../../src/core/payments/id-bounds.ts'
import { listPayments } from '../../src/core/payments/list.ts'
import { NO_FILTER, type PaymentFilter } from '../../src/core/payments/payment-filter.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import type { Msisdn } from '../../src/values/msisdn.ts'
import type { Receipt } from '../../src/values/receipt.ts'
import type { Reference } from '../../src/values/reference.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, nodesOf } from '../support/explain.ts'
import { loadHistory } from '../support/history.ts'
import { addPartner } from '../support/partner.ts'
import { quietLog } from '../support/quiet-log.ts'

/** Payments that are looked through: `PAYMENTS=10000000` shows that more make no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)
const PARTNERS = 20

/**
 * Blocks that a find may touch, whatever the tables hold: 20,000 payments are 700 blocks, ten million 350,000. Most are for
 * the bounds of a time, which are found in two times as many steps as the ids have bits.
 */
const BLOCKS = 400

/** The same where each partner is asked for what it has. */
const BLOCKS_A_PARTNER = 12

describe('finding payments', () => {
  const explained = collectPlans()
  let own: TestDatabase
  let database: Database
  let rare: { id: bigint; msisdn: string; receipt: string | null; created_at: Date }

  beforeAll(async () => {
    own = await createTestDatabase()
    // One connection, which plans each find once: while the tables are empty.
    database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings: EXPLAIN_ALL })
    for (let number = 0; number < PARTNERS; number += 1) await addPartner(database)
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  const load = async (): Promise<void> => {
    await loadHistory(database, { payments: PAYMENTS, partners: PARTNERS })
    // An old one, so that whoever reads the newest first until it turns up reads nearly all.
    rare = await database
      .updateTable('payments')
      .set({ reference: 'RARE' })
      .where('id', '=', BigInt(PARTNERS))
      .returning(['id', 'msisdn', 'receipt', 'created_at'])
      .executeTakeFirstOrThrow()
    // Ids grow with time, a second each.
    await sql`UPDATE payments SET created_at = '2026-01-01T00:00:00Z'::timestamptz + id * interval '1 second'`.execute(
      database,
    )
    await sql`VACUUM payments`.execute(database)
  }

  const FINDS: [what: string, () => Partial<PaymentFilter>, index: RegExp][] = [
    ['nothing', () => ({}), /partner_id_id_idx|pkey/],
    ['reference', () => ({ reference: 'RARE' as Reference }), /reference_partner_id/],
    ['payer', () => ({ msisdn: (rare?.msisdn ?? '254700000000') as Msisdn }), /msisdn_partner_id/],
    [
      'reference and payer',
      () => ({ reference: 'RARE' as Reference, msisdn: (rare?.msisdn ?? '254700000000') as Msisdn }),
      /msisdn_partner_id/,
    ],
    ['receipt', () => ({ receipt: (rare?.receipt ?? 'UE4A11B2C3') as Receipt }), /receipts_\d+_pkey/],
    ['key', () => ({ keyHash: Buffer.alloc(32) }), /idempotency_keys_\d+_pkey/],
    ['time', () => ({ createdFrom: instant(30), createdTo: instant(60) }), /partner_id_id_idx|pkey/],
    [
      'reference in a time',
      () => ({ reference: 'RARE' as Reference, createdFrom: instant(0), createdTo: instant(60) }),
      /reference_partner_id/,
    ],
    ['a state of what is open', () => ({ state: 'submitted' }), /to_(?:submit|query|confirm)/],
    ['what failed', () => ({ state: 'failed' }), /deliveries_\d+_(?:failed|partner_id_expr)_idx/],
    ['what was missed', () => ({ undeliveredOnly: true }), /to_deliver|dead_letters/],
  ]

  const instant = (second: number): Date => new Date(Date.parse('2026-01-01T00:00:00Z') + second * 1000)

  const find = async (owner: { partnerId: bigint } | 'anybody', filter: Partial<PaymentFilter>) => {
    explained.length = 0
    const whole: PaymentFilter = { ...NO_FILTER, ...filter }
    const rows = await listPayments(database, { owner, filter: whole, limit: 21, before: null })
    return { rows, statements: [...explained] }
  }

  it('is planned while the tables are empty', async () => {
    for (const [what, filter] of FINDS)
      for (const owner of [{ partnerId: 1n }, 'anybody' as const])
        expect((await find(owner, filter())).rows, what).toEqual([])
    await findIdBounds(database, { createdFrom: instant(0), createdTo: null })
  })

  it(`goes by its index beside ${PAYMENTS} payments, and reads no more of them`, async () => {
    await load()
    for (const analyzed of [false, true]) {
      if (analyzed) await sql`ANALYZE`.execute(database)
      for (const [what, filter, index] of FINDS) {
        for (const owner of [{ partnerId: BigInt(1) }, 'anybody' as const]) {
          const { rows, statements } = await find(owner, filter())
          const nodes = statements.flatMap(({ plan }) => nodesOf(plan))
          const seen = `${what} of ${owner === 'anybody' ? owner : 'one partner'}`
          if (process.env['PAYMENTS'] !== undefined)
            process.stdout.write(
              `${seen}: ${statements.map(blocksOf).join(' + ')} blocks, ${rows.length} rows\n`,
            )
          expect(nodes.filter(isWholeRead), seen).toEqual([])
          expect(
            nodes.some((node) => index.test(node['Index Name'] ?? '')),
            seen,
          ).toBe(true)
          const bound = BLOCKS + (owner === 'anybody' ? BLOCKS_A_PARTNER * PARTNERS : 0)
          expect(Math.max(...statements.map(blocksOf)), seen).toBeLessThan(bound)
          if (what === 'reference' && owner !== 'anybody') expect(rows.map(({ id }) => id)).toEqual([rare.id])
        }
      }
    }
  }, 3_600_000)
})

const isWholeRead = (node: { 'Node Type': string; 'Relation Name'?: string }): boolean =>
  node['Node Type'] === 'Seq Scan' &&
  /^(?:payments|deliveries|idempotency_keys|receipts)_\d/.test(node['Relation Name'] ?? '')
