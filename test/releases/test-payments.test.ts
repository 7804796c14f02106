import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { addTestKey } from '../support/partner.ts'
import { type Found, findPreviousRelease } from './previous-release.ts'
import { takeRelease } from './release-sources.ts'

let found: Found
let gateway: TestGateway

beforeAll(async () => {
  found = await findPreviousRelease()
  if (found.kind === 'missing') return
  const { main } = await takeRelease(found.release)
  // Whose database is migrated by this release, and only the release before runs on it.
  gateway = await startTestGateway({
    serve: 1,
    main,
    settings: { RECONCILE_AFTER_MS: '200', SUBMIT_TTL_MS: '60000' },
  })
}, 180_000)
afterAll(() => gateway?.close())

it('the release before refuses a test key, and prompts nobody for test payments that are there', async (context) => {
  if (found.kind === 'missing') context.skip(found.reason)
  const { database } = gateway
  const apiKey = await addTestKey({ database, partnerId: 1n })
  const asked = await fetch(`${gateway.httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '254712345678', amount: 1, callback_url: 'https://shop.co.ke/' }),
  })
  expect(asked.status).toBe(401)
  // One that waits for its push, one that waits to be asked for, one that is to be looked for in M-PESA's records.
  const states = ['accepted', 'submitted', 'unconfirmed'] as const
  const ids = await Promise.all(
    states.map(async (state) => {
      const { id } = await database
        .insertInto('payments')
        .values({
          partner_id: -1n,
          account_id: -1n,
          msisdn: '254712345678',
          amount_kes: 150,
          callback_url: 'https://shop.co.ke/',
          state,
          submit_by: new Date(Date.now() + 60_000),
          checkout_request_id: state === 'submitted' ? 'ws_CO_TEST_1_150_mg_712345678' : null,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      return id
    }),
  )
  const [accepted = 0n, submitted = 0n, unconfirmed = 0n] = ids
  const due = new Date(Date.now() - 1_000)
  const account_id = -1n
  const submit_by = new Date(Date.now() + 60_000)
  await database.insertInto('to_submit').values({ payment_id: accepted, account_id, submit_by }).execute()
  await database.insertInto('to_query').values({ payment_id: submitted, account_id, due_at: due }).execute()
  await database.insertInto('to_confirm').values({ payment_id: unconfirmed, account_id }).execute()
  // It looked for their account, found none, and went on to what is real.
  const [serve] = gateway.serve
  await eventually(() => expect(serve?.log()).toContain('"event":"account_unreadable"'))
  const real = await fetch(`${gateway.httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'x-api-key': gateway.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '254722000000', amount: 1, callback_url: gateway.world.receiver.url }),
  })
  expect(real.status).toBe(200)
  await eventually(async () => expect(await gateway.world.prompts()).toHaveLength(1))
  const rows = await database
    .selectFrom('payments')
    .select('state')
    .where('id', 'in', ids)
    .orderBy('id')
    .execute()
  expect(rows.map(({ state }) => state).toSorted()).toEqual([...states].toSorted())
  const ledger = (await (await fetch(`${gateway.world.simulator.url}/_ledger`)).json()) as { queries: number }
  expect(ledger.queries).toBe(0)
})
