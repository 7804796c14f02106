import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testCallbackCommand } from '../../src/cli/test-callback.ts'
import { SAMPLE_NAMES } from '../../src/core/outbox/sample-outcomes.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import type { Database } from '../../src/database/connect.ts'
import { AMINA } from '../core/deliveries/harness.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { TESTED_GATEWAY } from '../support/tested-gateway.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

type Ended = { code: number | null; stdout: string; stderr: string }

describe('gateway partners test-callback', () => {
  let own: OpenDatabase
  let database: Database
  let receiver: Receiver

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())
  beforeEach(async () => {
    receiver = await startReceiver()
    return () => receiver.close()
  })

  const environment = (): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: own.url,
    SECRET_KEY: TEST_SECRET_KEY,
    CALLBACK_ALLOW_HTTP: 'on',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
  })

  const run = (...words: string[]): Promise<Ended> =>
    promisify(execFile)(process.execPath, [TESTED_GATEWAY, 'partners', 'test-callback', ...words], {
      env: environment(),
      timeout: 25_000,
    }).then(
      (ended) => ({ code: 0, ...ended }),
      (error: Ended) => error,
    )

  it('sends what a delivery sends, signed with the partner’s secret, and marks it by headers alone', async () => {
    const { partnerId, signingSecret } = await createPartner({
      database,
      name: 'Duka',
      vault: testVault,
      randomBytes,
      actor: AMINA,
    })
    const { code, stdout } = await run('--url', `${receiver.url}/callback`, '--partner', String(partnerId))
    expect(code).toBe(0)
    expect(stdout).toMatch(/^outcome +webhook_id +attempt +status +error_class +duration_ms\n/)
    expect(stdout).toMatch(/\nAll \d+ were answered with a 2xx\.\n$/)
    const { received } = receiver
    expect(new Set(received.map(({ headers }) => headers['x-gateway-test']))).toEqual(new Set(SAMPLE_NAMES))
    const webhook = new Webhook(signingSecret)
    for (const { method, path, headers, body } of received) {
      expect([method, path]).toEqual(['POST', '/callback'])
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'mpesa-gateway' })
      expect(headers['webhook-id']).toMatch(/^test_[0-9a-f]{24}$/)
      expect(webhook.verify(body, headers)).toEqual(JSON.parse(body))
      expect(body).not.toMatch(/test/i)
    }
    const ofTwice = received.filter(({ headers }) => headers['x-gateway-test'] === 'told-twice')
    expect(ofTwice.map(({ headers }) => headers['webhook-attempt'])).toEqual(['1', '2'])
    expect(new Set(ofTwice.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(received.length - 1)
  })

  it('leaves a line in the audit log with the operator’s name, before anything is sent to a partner’s endpoint', async () => {
    const { partnerId } = await createPartner({
      database,
      name: 'Duka la pili',
      vault: testVault,
      randomBytes,
      actor: AMINA,
    })
    const url = `${receiver.url}/callback`
    const by = ['--partner', String(partnerId), '--by', 'Wanjikũ']
    expect(await run('--url', url, ...by, '--outcome', 'cancelled', 'told-twice')).toMatchObject({ code: 0 })
    receiver.behave(answerWith(503, 'busy'))
    expect(await run('--url', url, ...by)).toMatchObject({ code: 1 })
    const lines = await database
      .selectFrom('audit')
      .select(['actor_kind', 'actor_name', 'action', 'subject_kind', 'subject_id', 'after'])
      .where('partner_id', '=', partnerId)
      .where('action', '=', 'tested')
      .orderBy('id')
      .execute()
    const who = { actor_kind: 'operator', actor_name: 'Wanjikũ', action: 'tested' }
    const line = { ...who, subject_kind: 'endpoint', subject_id: new URL(url).host }
    expect(lines).toEqual([
      { ...line, after: { outcome: 'cancelled told-twice' } },
      { ...line, after: { outcome: 'all' } },
    ])
  })

  it('reports what failed and how, and exits with 1', async () => {
    receiver.behave((one, response) =>
      answerWith(one.headers['x-gateway-test'] === 'cancelled' ? 503 : 200, 'busy')(one, response),
    )
    const ended = await run('--url', receiver.url, '--outcome', 'paid', 'cancelled', '--json')
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toEqual([
      expect.objectContaining({ outcome: 'paid', status: 200, error_class: null, address: '127.0.0.1' }),
      expect.objectContaining({ outcome: 'cancelled', status: 503, error_class: 'status', answer: 'busy' }),
    ])
    expect(receiver.received.map(({ headers }) => headers['webhook-signature'])).toEqual([
      undefined,
      undefined,
    ])
  })

  it.each([
    ['--url http://127.0.0.1:1', '--url must start with https:// and a host'],
    ['--url https://10.0.0.1/', '--url must lead to a public host'],
    ['--url https://shop.co.ke/ --partner x', 'the partner must be an id'],
    ['--url https://shop.co.ke/ --partner 999999', 'there is no partner 999999'],
    ['--url https://shop.co.ke/ --outcome lost', "'lost' is invalid"],
  ])('refuses `%s`', async (words, problem) => {
    const command = testCallbackCommand({ DATABASE_URL: own.url, SECRET_KEY: TEST_SECRET_KEY })
    command.exitOverride().configureOutput({ writeErr: () => undefined })
    await expect(command.parseAsync(words.split(' '), { from: 'user' })).rejects.toThrow(problem)
    expect(receiver.received).toEqual([])
  })
})
