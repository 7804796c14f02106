import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { erasePayer } from '../../../src/core/payers/erase.ts'
import { exportPayer } from '../../../src/core/payers/export.ts'
import { PIECE } from '../../../src/core/payers/find-along-key.ts'
import type { Database } from '../../../src/database/connect.ts'
import { PLANNED_BY_SIZE } from '../../../src/database/plan-settings.ts'
import { type Msisdn, parseMsisdn } from '../../../src/values/msisdn.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, nodesOf, readWhole } from '../../support/explain.ts'
import { loadHistory } from '../../support/history.ts'
import { addPartner } from '../../support/partner.ts'

/** Payments that ended, and lines of statements: more than a piece; `PAYMENTS=1000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 25_000)

/** Tables that grow with the payments, but for those that are empty here. */
const GROWING =
  /^(?:payments|deliveries|payment_history|attempts|callbacks|idempotency_keys)_\d|^(?:statement_lines|statement_exceptions|stranger_callbacks)$/

const actor = { kind: 'operator', name: 'wanjiku', from: 'a shell' } as const

const explained = collectPlans()

describe.each([
  ['serve', {}],
  ['the console', PLANNED_BY_SIZE],
])(
  'a payer among many payments, through %s',
  (_whose, settings) => {
    let own: OpenDatabase
    let database: Database
    let msisdn: Msisdn

    beforeAll(async () => {
      own = await openTestDatabase({ poolSize: 1, settings: { ...settings, ...EXPLAIN_ALL } })
      database = own.database
      await addPartner(database)
      await loadHistory(database, { payments: PAYMENTS, partners: 1 })
      const payer = await database
        .selectFrom('payments')
        .select('msisdn')
        .where('id', '=', 17n)
        .executeTakeFirstOrThrow()
      const parsed = parseMsisdn(payer.msisdn.slice(0, 4) === '2547' ? payer.msisdn : '')
      if (!parsed.ok) throw new Error(parsed.problem)
      msisdn = parsed.value
      await sql`
        UPDATE payments SET reference = 'for 0' || ${msisdn.slice(3)}::text WHERE id = ${PAYMENTS}
      `.execute(database)
      await sql`
        WITH imported AS (
          INSERT INTO statements (fingerprint, file_name, shortcode, covers_from, covers_to, imported_by)
          VALUES ('\\x00', 'may.csv', '174379', now(), now(), 'amina') RETURNING id
        ), lines AS (
          INSERT INTO statement_lines (receipt, shortcode, statement_id, line, completed_at, paid_cents, reference)
          SELECT 'UF' || lpad(number::text, 8, '0'), '174379', id, number, now(), 100,
                 CASE WHEN number = 18 THEN ${msisdn}::text ELSE 'INV-' || number END
          FROM imported CROSS JOIN generate_series(1, ${PAYMENTS}::integer) number
        ), exceptions AS (
          INSERT INTO statement_exceptions (statement_id, kind, receipt, reference)
          SELECT id, 'unknown_here', 'UF' || lpad(number::text, 8, '0'),
                 CASE WHEN number = 18 THEN ${msisdn}::text ELSE 'INV-' || number END
          FROM imported CROSS JOIN generate_series(1, ${PAYMENTS}::integer) number
        )
        INSERT INTO stranger_callbacks (id, received_at, is_refused, source_address, headers, body, body_bytes)
        SELECT gen_random_uuid(), now(), false, '203.0.113.7', '{}',
               convert_to(CASE WHEN number = 19 THEN ${msisdn}::text ELSE 'hello' END, 'UTF8'), 5
        FROM generate_series(1, 3000) number
      `.execute(database)
      await sql`
        INSERT INTO payer_prompts (partner_id, msisdn)
        SELECT id, '2541' || lpad(number::text, 8, '0') FROM partners CROSS JOIN generate_series(1, 30000) number
      `.execute(database)
      await sql`VACUUM (ANALYZE)`.execute(database)
    }, 3_600_000)
    afterAll(() => own.close())

    /** No statement reads more rows of a table than a piece has. */
    const judge = (): void => {
      const scans = explained.flatMap(({ text, plan }) =>
        nodesOf(plan)
          .filter((node) => GROWING.test(node['Relation Name'] ?? ''))
          .map((node) => ({ text, rows: node['Actual Rows'] * node['Actual Loops'] })),
      )
      expect(scans.length).toBeGreaterThan(0)
      expect(scans.filter(({ rows }) => rows > PIECE).map(({ text }) => text)).toEqual([])
      expect(readWhole(explained, GROWING)).toEqual([])
      // A row for each payer of the last hour, and a node says only how many of them it found.
      const ofPrompts = explained.filter(({ text }) => /FROM payer_prompts/.test(text))
      expect(ofPrompts.length).toBeGreaterThan(0)
      expect(Math.max(...ofPrompts.map(blocksOf))).toBeLessThan(40)
    }

    it('is exported, what belongs to no payment with the first page, and no statement reads a table whole', async () => {
      explained.length = 0
      const startedMs = performance.now()
      const first = await exportPayer({ database, msisdn, after: null, limit: 1, actor })
      const rest = await exportPayer({ database, msisdn, after: first.nextAfter, limit: 1, actor })
      say('exported', startedMs)
      expect(first.records.map(({ kind }) => kind)).toEqual([
        'payment',
        'move',
        'move',
        'move',
        'callback',
        'delivery',
        'attempt',
        'statement_line',
        'statement_exception',
        'stranger_callback',
      ])
      expect(first.nextAfter).toBe(17n)
      expect(rest.records.filter(({ kind }) => kind === 'payment')).toMatchObject([
        { fields: { id: PAYMENTS } },
      ])
      expect(rest.nextAfter).toBeNull()
      judge()
    })

    it('is erased, and no statement reads a table whole', async () => {
      explained.length = 0
      const startedMs = performance.now()
      const erased = await erasePayer({ database, msisdn, actor })
      say('erased', startedMs)
      expect(erased).toEqual({ kind: 'erased', rows: { payments: 2, callbacks: 3, deliveries: 2 } })
      judge()
      const left = await database
        .selectFrom('statement_lines')
        .select('reference')
        .where('line', '=', 18)
        .execute()
      expect(left).toEqual([{ reference: '254000000000' }])
      expect((await exportPayer({ database, msisdn, after: null, limit: 9, actor })).records).toEqual([])
    })
  },
  3_600_000,
)

/** How long it took, and the longest of its statements by blocks, where it was asked for so many payments. */
const say = (what: string, startedMs: number): void => {
  if (process.env['PAYMENTS'] === undefined) return
  process.stdout.write(
    `${what}: ${Math.round(performance.now() - startedMs)} ms, ${explained.length} statements\n`,
  )
}
