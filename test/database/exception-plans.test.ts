import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EXCEPTION_KINDS, listExceptions } from '../../src/core/exceptions/list-exceptions.ts'
import type { Owner } from '../../src/core/payments/find.ts'
import type { Database } from '../../src/database/connect.ts'
import { PLANNED_BY_SIZE } from '../../src/database/plan-settings.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { collectPlans, EXPLAIN_ALL, nodesOf, type PlanNode, sumOfBlocks } from '../support/explain.ts'
import { loadHistory } from '../support/history.ts'
import { addPartner } from '../support/partner.ts'

/** Payments that ended, each with a finding that somebody acknowledged: `PAYMENTS=1000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)

/** Findings that nobody has acknowledged, the newest. */
const OPEN = 30

/** Blocks that a page may touch: to pass 20,000 findings that were acknowledged takes 250 more. */
const BLOCKS = 220

const GROWING = /^(?:payments|deliveries)_\d|^payment_findings$/

const explained = collectPlans()

describe.each([
  ['serve', {}],
  ['the console', PLANNED_BY_SIZE],
])(
  'what needs a human, listed by %s',
  (_whose, settings) => {
    let own: OpenDatabase
    let database: Database

    beforeAll(async () => {
      own = await openTestDatabase({ poolSize: 1, settings: { ...settings, ...EXPLAIN_ALL } })
      database = own.database
      for (let number = 0; number < 2; number += 1) await addPartner(database)
    })
    afterAll(() => own.close())

    const ASKED = { overdueAfterMs: 900_000, cursor: { paymentId: 0n, findingId: 0n }, limit: 20 }

    const list = async (owner: Owner, kind: (typeof EXCEPTION_KINDS)[number] | null) => {
      explained.length = 0
      const { exceptions } = await listExceptions({ database, ...ASKED, owner, kind })
      return exceptions
    }

    const judge = (what: string): void => {
      const nodes = explained.flatMap(({ plan }) => nodesOf(plan))
      expect([what, nodes.filter(isWholeRead).map((node) => node['Relation Name'])]).toEqual([what, []])
      const indexes = nodes.map((node) => node['Index Name'])
      expect([what, indexes]).toEqual([what, expect.arrayContaining(['payment_findings_to_acknowledge'])])
      const blocks = sumOfBlocks(explained)
      expect([what, blocks < BLOCKS ? 'few' : blocks]).toEqual([what, 'few'])
    }

    it('is found by the index of findings that nobody has acknowledged, past none that somebody has', async () => {
      expect(await list('anybody', null)).toEqual([])
      await loadHistory(database, { payments: PAYMENTS, partners: 2 })
      await sql`
        INSERT INTO payment_findings (payment_id, kind, detail, acknowledged_at)
        SELECT id, 'different_amount', '', CASE WHEN id <= ${PAYMENTS - OPEN}::bigint THEN now() END
        FROM payments ORDER BY id
      `.execute(database)
      await sql`VACUUM payment_findings, payments`.execute(database)
      for (const analyzed of [false, true]) {
        if (analyzed) await sql`ANALYZE`.execute(database)
        for (const owner of ['anybody', { partnerId: 1n }] as const)
          for (const kind of [null, 'finding'] as const) {
            const found = await list(owner, kind)
            expect(found).toHaveLength(owner === 'anybody' ? ASKED.limit : OPEN / 2)
            judge(
              `${kind ?? 'all'} of ${owner === 'anybody' ? owner : 'one partner'}, ${analyzed ? 'analyzed' : 'new'}`,
            )
          }
      }
    })
  },
  3_600_000,
)

/** A partition for the payments to come is empty, and may be read whole. */
const isWholeRead = (node: PlanNode): boolean =>
  node['Node Type'] === 'Seq Scan' &&
  GROWING.test(node['Relation Name'] ?? '') &&
  node['Shared Hit Blocks'] + node['Shared Read Blocks'] > 0
