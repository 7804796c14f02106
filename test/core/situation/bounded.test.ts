import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../../src/database/connect.ts'
import { PLANNED_BY_SIZE } from '../../../src/database/plan-settings.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, readWhole } from '../../support/explain.ts'
import { loadHistory } from '../../support/history.ts'
import { addPartner } from '../../support/partner.ts'
import { readTold, toldOf } from './told.ts'

/** Payments that ended, and duties of each kind that are open: `PAYMENTS=10000000 OPEN=100000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 5_000)
const OPEN = Number(process.env['OPEN'] ?? 10_000)

/** Endpoints that are down. */
const ENDPOINTS = 40

/** Blocks that a whole look may touch, in the worst of nights. */
const BLOCKS = 1_400

/** The same while nothing is wrong. */
const BLOCKS_WHEN_WELL = 250

/** Tables that grow with the payments, or with what is open. */
const GROWING =
  /^(?:payments|deliveries|payment_history|attempts)_\d|^(?:to_|dead_letters|payment_findings|approvals)/

const explained = collectPlans()

describe.each([
  ['a process', {}],
  ['a command', PLANNED_BY_SIZE],
])(
  'what a look at the situation costs %s',
  (_whose, settings) => {
    let own: OpenDatabase
    let database: Database

    beforeAll(async () => {
      own = await openTestDatabase({ poolSize: 1, settings: { ...settings, ...EXPLAIN_ALL } })
      database = own.database
      for (let number = 0; number < 3; number += 1) await addPartner(database)
    })
    afterAll(() => own.close())

    const look = async () => {
      explained.length = 0
      const { sentences } = await readTold(database)
      const statements = [...explained]
      const blocks = statements.reduce((sum, one) => sum + blocksOf(one), 0)
      if (process.env['PAYMENTS'] !== undefined)
        process.stdout.write(
          `${blocks} blocks: ${statements.map((one) => `${blocksOf(one)} ${/FROM \W*(\w+)/.exec(one.text)?.[1]}`).join(', ')}\n`,
        )
      return { sentences, blocks, whole: readWhole(statements, GROWING) }
    }

    /** The oldest payments are open, each with a duty of every kind; deliveries wait, are late, or died. */
    const spoil = async (): Promise<void> => {
      await sql`
      UPDATE payments SET state = 'unconfirmed', created_at = now() - interval '1 hour' WHERE id <= ${OPEN / 10}
    `.execute(database)
      for (const statement of [
        sql`INSERT INTO to_submit (payment_id, due_at, submit_by) SELECT id, now() - interval '1 minute', now() FROM generate_series(1, ${OPEN}::integer) id`,
        sql`INSERT INTO to_query (payment_id, due_at) SELECT id, now() FROM generate_series(1, ${OPEN}::integer) id`,
        sql`INSERT INTO to_confirm (payment_id) SELECT id FROM generate_series(1, ${OPEN}::integer) id`,
        sql`
        INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, held_at)
        SELECT id, 1 + id % 3, 'shop-' || id % ${ENDPOINTS} || '.co.ke', now() - interval '1 hour',
               CASE WHEN id % 2 = 0 THEN now() END
        FROM generate_series(1, ${OPEN}::integer) id
      `,
        sql`
        INSERT INTO endpoints (partner_id, host, state)
        SELECT 1 + id % 3, 'shop-' || id || '.co.ke', 'open' FROM generate_series(1, ${ENDPOINTS}::integer) id
      `,
        sql`
        INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
        SELECT id, 1 + id % 3, 'shop.co.ke', 'a schedule that ended' FROM generate_series(1, ${OPEN}::integer) id
      `,
        sql`
        INSERT INTO payment_findings (payment_id, kind, detail)
        SELECT id, 'different_amount', '' FROM generate_series(1, ${OPEN / 10}::integer) id
      `,
        sql`
        INSERT INTO approvals (kind, payment_id, parameters, asked_by, expires_at, decision)
        SELECT 'settle_payment', id, '{}', 'amina', now() + id % 3 * interval '1 hour',
               CASE WHEN id % 5 > 0 THEN 'approved' END
        FROM generate_series(1, ${OPEN}::integer) id
      `,
      ])
        await statement.execute(database)
      await sql`VACUUM to_submit, to_query, to_confirm, to_deliver, dead_letters, approvals`.execute(database)
    }

    it('is a few blocks while the tables are empty, and beside a history that is well', async () => {
      expect((await look()).sentences).toMatchObject([{ name: 'all_well' }])
      await loadHistory(database, { payments: PAYMENTS, partners: 3 })
      const { sentences, blocks, whole } = await look()
      expect(sentences).toMatchObject([{ name: 'all_well' }])
      expect(whole).toEqual([])
      expect(blocks).toBeLessThan(BLOCKS_WHEN_WELL)
    })

    it(`is hardly more with ${OPEN} open duties of each kind, and says that there are more than were counted`, async () => {
      await spoil()
      for (const analyzed of [false, true]) {
        if (analyzed) await sql`ANALYZE`.execute(database)
        const { blocks, whole, sentences } = await look()
        expect(whole).toEqual([])
        expect(blocks).toBeLessThan(BLOCKS)
        expect(sentences.length).toBeLessThan(40)
      }
      const [late] = await toldOf(database, 'submit_late')
      expect(late).toMatchObject({ count: 500, isMore: true })
      expect(late?.text).toMatch(/^More than 500 payments wait to be pushed/)
      expect(await toldOf(database, 'approvals_waiting')).toMatchObject([{ count: 50, isMore: true }])
      const down = await toldOf(database, 'endpoint_down')
      expect(down).toHaveLength(11)
      expect(down.find(({ host }) => host === null)?.text).toMatch(/^30 more endpoints are down/)
    })
  },
  3_600_000,
)
