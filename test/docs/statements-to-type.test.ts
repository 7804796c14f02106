import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeCallbacks } from '../../src/core/callback/receive.ts'
import { received } from '../core/callback/received.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

const PAGE = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8')

/** The statement of the page that names this table. */
const statementOf = (table: string): string => {
  const blocks = [...PAGE.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  return blocks.find((block) => block.includes(table)) ?? ''
}

let own: OpenDatabase
beforeAll(async () => {
  own = await openTestDatabase()
})
afterAll(() => own.close())

describe('what operations.md gives an operator to type into psql', () => {
  it('shows what strangers sent, whatever bytes that are', async () => {
    const bodies = [Buffer.from('{"Body":{}}'), Buffer.from([0, 255, 0xe2]), Buffer.from('é'.repeat(101))]
    await storeCallbacks(
      own.database,
      bodies.map((body) => received({ body, source_address: '203.0.113.9', body_bytes: body.length })),
    )
    const { rows } = await sql<{ beginning: string }>`${sql.raw(statementOf('stranger_callbacks'))}`.execute(
      own.database,
    )
    expect(rows.map(({ beginning }) => beginning.slice(0, 12))).toEqual([
      String.raw`\303\251\303\251`.slice(0, 12),
      String.raw`\000\377\342`,
      '{"Body":{}}',
    ])
  })

  it('has what was refused of an address interpreted', async () => {
    const address = '196.201.214.210'
    const refused = received({ payment_id: 7n, is_refused: true, source_address: address })
    await storeCallbacks(own.database, [refused, received({ source_address: address })])
    await sql.raw(statementOf('to_interpret')).execute(own.database)
    const open = await own.database.selectFrom('to_interpret').select('callback_id').execute()
    expect(open).toEqual([{ callback_id: refused.id }])
  })
})
