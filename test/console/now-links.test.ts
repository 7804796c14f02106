import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { acceptUntouched } from '../support/payments.ts'
import { openConsole, type TestConsole } from './harness.ts'
import { KINDS } from './situation-kinds.ts'

// Everything that Now can say is said at once, and each link of it is followed.

let test: TestConsole
/** The links of each sentence that has one to its page, by its name. */
const links = new Map<string, string[]>()

beforeAll(async () => {
  test = await openConsole()
  const { database } = test
  await sql`
    INSERT INTO partners (id, name, disabled_at) OVERRIDING SYSTEM VALUE
    VALUES (7, 'Duka', NULL), (8, 'Shule', now())
  `.execute(database)
  await sql`
    INSERT INTO partner_accounts
      (id, partner_id, shortcode, transaction_type, party_b, consumer_key_sealed, consumer_secret_sealed, passkey_sealed, ended_at)
    OVERRIDING SYSTEM VALUE
    VALUES (900, 7, '600900', 'CustomerPayBillOnline', '600900', '', '', '', NULL),
           (901, 7, '600901', 'CustomerPayBillOnline', '600901', '', '', '', now())
  `.execute(database)
  await sql`
    INSERT INTO traffic_counted (events_to, events_at, attempts_to) VALUES (event_horizon(), now(), now())
  `.execute(database)
  for (let number = 0; number < 5; number += 1) await acceptUntouched(database, 7n)
  for (const statement of Object.values(KINDS).flatMap((rows) => rows ?? []))
    await statement.execute(database)
  const { body } = await (await test.as('look')).get('/')
  for (const [, name = '', item = ''] of body.matchAll(/<li [^>]*data-name="(\w+)">(.*?)<\/li>/gs)) {
    if (!item.includes('>Show it</a>')) continue
    const found = [...item.matchAll(/<a href="([^"]+)">/g)].map(([, path = '']) =>
      path.replaceAll('&amp;', '&'),
    )
    links.set(name, [...(links.get(name) ?? []), ...found])
  }
})
afterAll(() => test.stop())

it.each(Object.entries(KINDS))('%s: each of its links leads to a page', async (name, rows) => {
  const paths = links.get(name)
  if (rows === null) return expect(paths).toBeUndefined()
  expect(paths).toBeDefined()
  const looking = await test.as('look')
  for (const path of paths ?? []) {
    const { status, body } = await looking.get(path)
    expect([path, status, body.includes('role="alert"')]).toEqual([path, 200, false])
  }
})

it('each of them has its row in the table of the page about running the gateway', async () => {
  const page = await readFile('docs/operations.md', 'utf8')
  const table = /## What is wrong, in sentences(.*?)\n## /s.exec(page)?.[1] ?? ''
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name)
  expect(rows.toSorted()).toEqual(Object.keys(KINDS).toSorted())
})
