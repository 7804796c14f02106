import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SAMPLE_NAMES } from '../../src/core/outbox/sample-outcomes.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { testActor } from '../support/actor.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { testVault } from '../support/vault.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

const MARKUP = `"'><script>x()</script>`

let test: TestConsole
let mending: TestBrowser
let looking: TestBrowser
let receiver: Receiver
let partnerId: bigint
let signingSecret: string

beforeAll(async () => {
  test = await openConsole({ privateCallbacks: true })
  mending = await test.as('mend')
  looking = await test.as('look')
  const given = { database: test.database, vault: testVault, randomBytes, actor: testActor }
  const made = await createPartner({ ...given, name: 'Duka' })
  partnerId = made.partnerId
  signingSecret = made.signingSecret
})
afterAll(() => test?.stop())
beforeEach(async () => {
  receiver = await startReceiver()
  return () => receiver.close()
})

const send = (form: Record<string, string>, browser = mending) =>
  browser.post(`/partners/${partnerId}/test-callback`, form)

const linesOf = () =>
  test.database
    .selectFrom('audit')
    .select(['actor_kind', 'actor_name', 'source', 'action', 'subject_id', 'partner_id', 'after'])
    .where('subject_kind', '=', 'endpoint')
    .orderBy('id')
    .execute()

/** The cells of the table of answers, by row. */
const rowsIn = (body: string): string[][] =>
  [...(body.split('<tbody>')[1] ?? '').matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<td[^>]*><div>(.*?)<\/div><\/td>/gs)].map(([, cell = '']) =>
      cell.replaceAll(/<[^>]+>/g, ''),
    ),
  )

describe('test callbacks from the console', () => {
  it('go out as deliveries do, signed; each answer is shown, and who had them sent is audited', async () => {
    receiver.behave((one, response) =>
      answerWith(one.headers['x-gateway-test'] === 'cancelled' ? 503 : 200, `busy ${MARKUP}`)(one, response),
    )
    const { status, body } = await send({ url: `${receiver.url}/told` })
    expect(status).toBe(200)
    const { received } = receiver
    expect(new Set(received.map(({ headers }) => headers['x-gateway-test']))).toEqual(new Set(SAMPLE_NAMES))
    const webhook = new Webhook(signingSecret)
    for (const one of received) {
      expect([one.method, one.path]).toEqual(['POST', '/told'])
      expect(one.headers['webhook-id']).toMatch(/^test_/)
      expect(webhook.verify(one.body, one.headers)).toEqual(JSON.parse(one.body))
    }
    expect(body).toContain(`1 of ${received.length} failed: each would be tried again as the schedule says.`)
    const rows = rowsIn(body)
    expect(rows.map(([outcome]) => outcome)).toEqual(received.map(({ headers }) => headers['x-gateway-test']))
    const cancelled = rows.find(([outcome]) => outcome === 'cancelled')
    expect(cancelled?.slice(2, 5)).toEqual(['1', '503', 'status'])
    expect(cancelled?.slice(5)).toEqual([
      expect.stringMatching(/^\d+ ms$/),
      '127.0.0.1',
      'busy &quot;&#39;&gt;&lt;script&gt;x()&lt;/script&gt;',
    ])
    expect(body).not.toContain('<script>x')
    expect(await linesOf()).toEqual([
      {
        actor_kind: 'operator',
        actor_name: 'mend',
        source: '127.0.0.1',
        action: 'tested',
        subject_id: `127.0.0.1:${receiver.port}`,
        partner_id: partnerId,
        after: { outcome: 'all' },
      },
    ])
  })

  it('may be of one outcome alone; one that nobody takes says how it failed', async () => {
    const { body } = await send({ url: `${receiver.url}/told`, outcome: 'paid' })
    expect(body).toContain('It was answered with a 2xx.')
    expect(receiver.received).toHaveLength(1)
    const closed = await startReceiver()
    await closed.close()
    const failed = await send({ url: closed.url, outcome: 'paid' })
    expect(failed.status).toBe(200)
    expect(rowsIn(failed.body)[0]?.slice(3, 5)).toEqual(['–', 'refused'])
  })

  it.each([
    ['', 'The URL is required.'],
    [`ftp://${MARKUP}`, 'The URL must start with https:// and a host'],
    ['http://127.0.0.1:22/', 'The URL must use port 443'],
  ])('are not sent to `%s`, and the field says why', async (url, problem) => {
    const before = await linesOf()
    const { status, body } = await send({ url })
    expect([status, body]).toEqual([422, expect.stringContaining(problem)])
    expect(body).toContain('field-url-problem')
    expect(body).not.toContain('<script>x')
    expect(await linesOf()).toEqual(before)
  })

  it('go to the endpoint whose page they are asked on, and to hosts of the partner’s', async () => {
    const elsewhere = await send({ url: receiver.url, host: 'shop.example' })
    expect([elsewhere.status, elsewhere.body]).toEqual([
      422,
      expect.stringContaining('The URL must lead to shop.example.'),
    ])
    await sql`UPDATE partners SET callback_hosts = '{shop.co.ke}' WHERE id = ${partnerId}`.execute(
      test.database,
    )
    const another = await send({ url: receiver.url })
    await sql`UPDATE partners SET callback_hosts = NULL WHERE id = ${partnerId}`.execute(test.database)
    expect([another.status, another.body]).toEqual([
      422,
      expect.stringContaining('must lead to a host of this partner&#39;s: shop.co.ke'),
    ])
    expect(receiver.received).toEqual([])
  })

  it('are offered where the last delivery went, on the pages of partner and endpoint, to who may send them', async () => {
    await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'Duka la Wanjiku')`.execute(
      test.database,
    )
    await addDeliveries(test.database, ['https://shop.example/told/here'])
    for (const path of ['/partners/7', '/deliveries/endpoint?partner=7&host=shop.example']) {
      const { body } = await mending.get(path)
      expect(body).toContain('action="/partners/7/test-callback"')
      expect(body).toContain('value="https://shop.example/told/here"')
      expect((await looking.get(path)).body).not.toContain('test-callback')
    }
    const unknown = await mending.get('/deliveries/endpoint?partner=7&host=other.example')
    expect(unknown.body).toContain('value="https://other.example/"')
  })

  it('are refused for a partner that has no secret to sign with, and for one that there is not', async () => {
    await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (8, 'Shule')`.execute(
      test.database,
    )
    const unsigned = await mending.post('/partners/8/test-callback', { url: receiver.url })
    expect([unsigned.status, unsigned.body]).toEqual([
      409,
      expect.stringContaining('Nothing was sent: partner 8 has no signing secret'),
    ])
    const nobody = await mending.post('/partners/999999/test-callback', { url: receiver.url })
    expect([nobody.status, nobody.body]).toEqual([404, expect.stringContaining('there is no partner 999999')])
    expect(receiver.received).toEqual([])
  })
})

/** Another console on the same database. */
const withConsole = async (
  options: Parameters<typeof openConsole>[0],
  work: (browser: TestBrowser) => Promise<void>,
): Promise<void> => {
  const on = { database: test.database, url: test.databaseUrl, close: async () => undefined }
  const other = await openConsole({ ...options, on })
  try {
    await work(await other.as('money'))
  } finally {
    await other.stop()
  }
}

it('test callbacks go to no private address where deliveries do not', () =>
  withConsole({}, async (browser) => {
    const at = (url: string) => browser.post(`/partners/${partnerId}/test-callback`, { url, outcome: 'paid' })
    const literal = await at('https://10.0.0.1/')
    expect([literal.status, literal.body]).toEqual([
      422,
      expect.stringContaining('The URL must lead to a public host'),
    ])
    expect((await at(receiver.url)).body).toContain('The URL must start with https://')
    expect(receiver.received).toEqual([])
  }))

it('test callbacks end in time: what was not sent is counted', () =>
  withConsole({ privateCallbacks: true, samplesWithinMs: 0 }, async (browser) => {
    const { status, body } = await browser.post(`/partners/${partnerId}/test-callback`, { url: receiver.url })
    expect(status).toBe(200)
    expect(receiver.received).toHaveLength(1)
    expect(rowsIn(body)).toHaveLength(1)
    expect(body).toMatch(/It was answered with a 2xx\. \d\d more not sent, for the time was over/)
  }))
