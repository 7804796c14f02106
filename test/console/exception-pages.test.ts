import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched } from '../support/payments.ts'
import { openConsole, type TestConsole } from './harness.ts'

let test: TestConsole
let partnerId: bigint

beforeAll(async () => {
  test = await openConsole()
  partnerId = (await addPartner(test.database)).partnerId
})
afterAll(() => test.stop())

const makeOverdue = async (): Promise<bigint> => {
  const id = await acceptUntouched(test.database, partnerId)
  await sql`UPDATE payments SET created_at = now() - interval '1 hour' WHERE id = ${id}`.execute(
    test.database,
  )
  return id
}

it('says that nothing needs anybody, and then what does, with the verbs of the role', async () => {
  const looking = await test.as('look')
  expect((await looking.get('/exceptions')).body).toContain('Nothing needs you.')
  const id = await makeOverdue()
  const { id: findingId } = await test.database
    .insertInto('payment_findings')
    .values({ payment_id: id, kind: 'not_proven', detail: '<b>254712345678</b>' })
    .returning('id')
    .executeTakeFirstOrThrow()
  const page = await looking.get('/exceptions')
  expect(page.body).toContain('Nobody has been prompted for it')
  expect(page.body).toContain('&lt;b&gt;2547*****678&lt;/b&gt;')
  expect(page.body).not.toContain('<b>2547')
  expect(page.body).not.toContain('712345678')
  expect(page.body).not.toContain('Acknowledge')
  const money = await test.as('money')
  expect((await money.get('/exceptions')).body).toContain(`href="/payments/${id}/settle"`)
  expect((await money.get('/exceptions?kind=overdue')).body).not.toContain('Acknowledge')
  const csv = await looking.get('/exceptions?format=csv')
  expect(csv.body).toContain(`overdue,${id},${partnerId},150,,`)

  const refused = await looking.post(`/exceptions/${findingId}/acknowledge`, {
    [`note-${findingId}`]: 'seen',
  })
  expect(refused.status).toBe(403)
  const mending = await test.as('mend')
  const empty = await mending.post(`/exceptions/${findingId}/acknowledge`, {})
  expect(empty.status).toBe(422)
  const done = await mending.post(`/exceptions/${findingId}/acknowledge`, {
    [`note-${findingId}`]: 'refunded',
  })
  expect(done).toMatchObject({ status: 303, location: '/exceptions' })
  const after = await mending.get('/exceptions')
  expect(after.body).toContain(`Finding ${findingId} is acknowledged.`)
  expect(after.body).not.toContain('&lt;b&gt;')
  const line = await test.database
    .selectFrom('audit')
    .select(['action', 'actor_name'])
    .where('subject_kind', '=', 'finding')
    .executeTakeFirst()
  expect(line).toEqual({ action: 'acknowledged', actor_name: 'mend' })
})

it('goes on by keyset', async () => {
  const looking = await test.as('look')
  const ids: bigint[] = []
  for (let number = 0; number < 52; number += 1) ids.push(await makeOverdue())
  const first = await looking.get('/exceptions')
  const next = /href="(\/exceptions\?page=[^"]+)"/.exec(first.body)?.[1] ?? ''
  expect(first.body).not.toContain(`href="/payments/${ids.at(-1)}"`)
  expect((await looking.get(next)).body).toContain(`href="/payments/${ids.at(-1)}"`)
})
