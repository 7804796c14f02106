import { describe, expect, it } from 'vitest'
import { namedColumns } from '../../scripts/tidy/named-columns.ts'

const SCHEMA = {
  path: 'src/database/schema/schema.ts',
  text: 'export type Schema = {\n  partners: PartnersTable\n  payments: PaymentsTable\n}\n',
}

const linesOf = (path: string, text: string) => namedColumns([SCHEMA, { path, text }]).map(({ line }) => line)

describe('statements name the columns they read', () => {
  it.each([
    ["database\n  .selectFrom('payments')\n  .selectAll()", 3],
    ['sql`SELECT * FROM payments`', 1],
    ['sql`SELECT partners.*, 1 FROM partners`', 1],
    ['sql`\n  UPDATE payments SET state = 1 RETURNING *`', 2],
  ])('%j is found', (text, line) => {
    expect(linesOf('src/core/payments/find.ts', text)).toEqual([line])
  })

  it.each([
    ['src/core/payments/find.ts', "database.selectFrom('payments').select(['id'])"],
    ['src/core/request/accept.ts', 'sql`WITH given AS (SELECT 1 AS id) SELECT given.* FROM given`'],
    ['src/core/payments/find.ts', 'sql`SELECT count(*) FROM payments`'],
    ['src/core/payments/find.ts', 'sql`SELECT d.id FROM few CROSS JOIN LATERAL (SELECT * FROM payments) d`'],
    ['src/core/settle/settle.ts', 'sql`SELECT * FROM unnest(1, 2)`'],
    ['src/database/migrations/002-payments.ts', 'sql`INSERT INTO payments SELECT * FROM old`'],
    ['test/core/payments/find.test.ts', "database.selectFrom('payments').selectAll()"],
  ])('%s may say %j', (path, text) => {
    expect(linesOf(path, text)).toEqual([])
  })
})
