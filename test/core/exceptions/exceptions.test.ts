import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, nodesOf } from '../../support/explain.ts'
import { loadHistory } from '../../support/history.ts'
import { operatorPayments } from '../../support/operator-payments.ts'
import { addPartner } from '../../support/partner.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** Payments that are there already: `PAYMENTS=1000000` shows that as many more make no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)

/** Duties of payments that are open, and not for too long. */
const OPEN = 2_000

/** Blocks that a page may touch: 20,000 payments are 700. */
const BLOCKS = 400

const explained = collectPlans()
let own: TestDatabase
let database: Database
let partnerId: bigint

beforeAll(async () => {
  own = await createTestDatabase()
  database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings: EXPLAIN_ALL })
  partnerId = (await addPartner(database)).partnerId
})
afterAll(async () => {
  await database.destroy()
  await own.drop()
})

type State = 'accepted' | 'submitted' | 'unconfirmed'

/** A payment that is open, so many minutes old. */
const makeOpen = async (state: State, minutes: number): Promise<bigint> => {
  const id = await acceptUntouched(database, partnerId)
  await sql`
    UPDATE payments SET state = ${state}, created_at = now() - make_interval(mins => ${minutes}) WHERE id = ${id}
  `.execute(database)
  if (state === 'accepted') return id
  await database.deleteFrom('to_submit').where('payment_id', '=', id).execute()
  await (state === 'unconfirmed'
    ? database.insertInto('to_confirm').values({ payment_id: id }).execute()
    : sql`
        INSERT INTO to_query (payment_id, due_at, queries) VALUES (${id}, now() + interval '1 hour', 3)
      `.execute(database))
  return id
}

const addFinding = async (paymentId: bigint, detail: string): Promise<bigint> => {
  const { id } = await database
    .insertInto('payment_findings')
    .values({ payment_id: paymentId, kind: 'different_amount', detail })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

const payments = () => operatorPayments(database, { overdueAfterMs: 900_000 })

const namesOf = (page: Awaited<ReturnType<ReturnType<typeof payments>['listExceptions']>>) =>
  page.exceptions.map(({ kind, payment, finding }) => [kind, payment?.paymentId, finding?.findingId])

it('lists what needs a human, oldest first, in pages, with what ends each', async () => {
  const unconfirmed = await makeOpen('unconfirmed', 60)
  const submitted = await makeOpen('submitted', 50)
  const accepted = await makeOpen('accepted', 40)
  await makeOpen('unconfirmed', 5)
  const finding = await addFinding(submitted, 'callback: 151 instead of 150, says 254712345678')
  const all = [
    ['unconfirmed', unconfirmed, undefined],
    ['overdue', submitted, undefined],
    ['overdue', accepted, undefined],
    ['finding', submitted, finding],
  ]
  const whole = await payments().listExceptions({})
  expect(namesOf(whole)).toEqual(all)
  expect(whole.exceptions.map(({ sentence, verbs }) => [sentence].concat(verbs))).toEqual([
    [expect.stringMatching(/^Nobody knows whether its payer paid: look it up/), 'settle'],
    [expect.stringMatching(/Daraja was asked 3 times, and is asked next at/), 'settle'],
    [expect.stringMatching(/^Nobody has been prompted for it/), 'cancel', 'settle'],
    [
      'Another amount came than was asked for; it settled nothing: callback: 151 instead of 150, says 2547*****678',
      'acknowledge',
    ],
  ])
  const paged = []
  for (let pageToken = ''; ; ) {
    const page = await payments().listExceptions({ pageSize: 1, pageToken })
    paged.push(...namesOf(page))
    pageToken = page.nextPageToken
    if (pageToken === '') break
  }
  expect(paged).toEqual(all)
  expect(namesOf(await payments().listExceptions({ kind: 'unconfirmed' }))).toEqual(all.slice(0, 1))
  expect(namesOf(await payments().listExceptions({ kind: 'overdue' }))).toEqual(all.slice(1, 3))
  expect(namesOf(await payments().listExceptions({ kind: 'finding' }))).toEqual(all.slice(3))
  const others = operatorPayments(database, { partnerId: 999n })
  expect(namesOf(await others.listExceptions({}))).toEqual([])
})

it('lets go of a finding that somebody has seen to, once, with a line of who', async () => {
  const paymentId = await makeOpen('submitted', 1)
  const findingId = await addFinding(paymentId, 'to acknowledge')
  const { finding } = await payments().acknowledgeFinding({ findingId, note: 'refunded on 4 May' })
  expect(finding).toMatchObject({ findingId, acknowledgedBy: 'amina', note: 'refunded on 4 May' })
  const again = await payments().acknowledgeFinding({ findingId, note: 'another' })
  expect(again.finding?.note).toBe('refunded on 4 May')
  expect(namesOf(await payments().listExceptions({ kind: 'finding' })).map(([, , id]) => id)).not.toContain(
    findingId,
  )
  const history = await payments().getPaymentHistory({ paymentId })
  expect(history.findings).toMatchObject([{ findingId, note: 'refunded on 4 May' }])
  const lines = await database.selectFrom('audit').selectAll().where('subject_kind', '=', 'finding').execute()
  expect(lines).toMatchObject([
    { action: 'acknowledged', actor_name: 'amina', subject_id: String(findingId), partner_id: partnerId },
  ])
})

it.each([
  [{ note: 'seen' }, 'there is no finding 999999'],
  [{ note: ' ' }, 'note must be 1 to 500 printable characters'],
])('refuses to acknowledge %j', async (given, problem) => {
  await expect(payments().acknowledgeFinding({ findingId: 999_999n, ...given })).rejects.toThrow(problem)
})

it.each([
  [{ pageToken: '1' }, 'page_token must be the next_page_token'],
  [{ kind: 'odd' }, 'kind must be one of unconfirmed, overdue, finding'],
  [{ pageSize: 1001 }, 'page_size must be'],
])('refuses to list %j', async (given, problem) => {
  await expect(payments().listExceptions(given)).rejects.toThrow(problem)
})

it(`reads few blocks beside ${PAYMENTS} payments, ${OPEN} open ones and as many findings that were acknowledged`, async () => {
  await loadHistory(database, { payments: PAYMENTS, partners: 1 })
  await sql`
    WITH made AS (
      INSERT INTO payments (partner_id, msisdn, amount_kes, callback_url, state, submit_by)
      SELECT ${partnerId}::bigint, '254712345678', 150, 'https://shop.example/paid', 'submitted', now()
      FROM generate_series(1, ${OPEN}::integer) RETURNING id
    ), due AS (INSERT INTO to_query (payment_id, due_at) SELECT id, now() + interval '1 hour' FROM made)
    INSERT INTO payment_findings (payment_id, kind, detail) SELECT id, 'not_proven', 'a test' FROM made
  `.execute(database)
  await sql`UPDATE payment_findings SET acknowledged_at = now() WHERE kind = 'not_proven'`.execute(database)
  for (const analyzed of [false, true]) {
    if (analyzed) await sql`ANALYZE`.execute(database)
    explained.length = 0
    const page = await payments().listExceptions({ pageSize: 20 })
    expect(page.exceptions.length).toBeGreaterThan(2)
    await payments().getPaymentTimeline({ paymentId: page.exceptions[0]?.payment?.paymentId ?? 0n })
    if (process.env['PAYMENTS'] !== undefined)
      process.stdout.write(
        `${explained.map((one) => `${blocksOf(one)} ${one.text.slice(0, 60)}`).join('\n')}\n`,
      )
    const read = explained
      .flatMap(({ plan }) => nodesOf(plan))
      .filter((node) => node['Node Type'] === 'Seq Scan')
    const whole = read
      .map((node) => node['Relation Name'] ?? '')
      .filter((name) => /_\d|^payment_findings|^audit/.test(name))
    expect(whole).toEqual([])
    expect(Math.max(...explained.map(blocksOf))).toBeLessThan(BLOCKS)
  }
})
