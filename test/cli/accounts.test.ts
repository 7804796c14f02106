import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addPartner } from '../support/partner.ts'
import { startTestSimulator } from '../support/simulator.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

const SECRETS = 'key-of-17\nhush-hush\npasskey-of-17\n'

describe('gateway accounts', () => {
  let own: OpenDatabase
  let database: Database
  let simulator: Simulator
  let partner: string

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
    simulator = await startTestSimulator()
    const created = await addPartner(database, { name: 'Duka' })
    partner = String(created.partnerId)
  })
  afterAll(async () => {
    await simulator.close()
    await own.close()
  })

  const run = (words: string[], input = '', environment: Record<string, string> = {}): Promise<Typed> =>
    typeCommand(
      ['accounts', ...words],
      { DATABASE_URL: own.url, SECRET_KEY: TEST_SECRET_KEY, DARAJA_BASE_URL: simulator.url, ...environment },
      input,
    )

  it('take their secrets from standard input, and show them nowhere', async () => {
    const words = [
      'create',
      '--partner',
      partner,
      '--shortcode',
      '600111',
      '--till',
      '600222',
      '--by',
      'amina',
    ]
    const created = await run([...words, '--type', 'CustomerBuyGoodsOnline', '--json'], SECRETS)
    expect(JSON.parse(created.stdout)).toEqual({ account_id: 1, partner_id: 1, shortcode: '600111' })
    const [listed] = JSON.parse((await run(['list', '--json'])).stdout)
    expect(listed).toMatchObject({ account_id: 1, shortcode: '600111', party_b: '600222', ended_at: null })
    const { rows } = await sql<{ all: string }>`
      SELECT (SELECT jsonb_agg(to_jsonb(one)) FROM partner_accounts one)::text
          || (SELECT jsonb_agg(to_jsonb(one)) FROM audit one)::text AS all
    `.execute(database)
    expect(rows[0]?.all).toContain('amina')
    for (const shown of [rows[0]?.all, JSON.stringify(listed), created.stdout, created.stderr]) {
      expect(shown).not.toMatch(/hush-hush|key-of-17|passkey-of-17/)
    }
  })

  it('are let in by Daraja, or not, in words', async () => {
    const right = await run(['check', '--partner', partner])
    expect(right).toMatchObject({ code: 0, stdout: 'Daraja lets the own account 600111 in.\n' })
    const nowhere = await run(['check', '--partner', partner, '--json'], '', {
      DARAJA_BASE_URL: 'http://127.0.0.1:1',
    })
    expect(nowhere.code).toBe(1)
    expect(JSON.parse(nowhere.stdout)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/nobody listens/),
    })
    const other = await run(['check', '--partner', partner], '', { SECRET_KEY: 'cd'.repeat(32) })
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('the secrets cannot be opened') })
  })

  it('are the default one for a partner without its own', async () => {
    const ended = await run(['end', '--partner', partner, '--json'])
    expect(JSON.parse(ended.stdout)).toEqual({ partner_id: Number(partner), ended: true })
    expect((await run(['end', '--partner', partner])).code).toBe(2)
    const byDefault = await run(['check', '--partner', partner, '--json'], '', {
      DARAJA_CONSUMER_KEY: 'key',
      DARAJA_CONSUMER_SECRET: 'secret',
      DARAJA_SHORTCODE: '174379',
      DARAJA_PASSKEY: 'passkey',
    })
    expect(JSON.parse(byDefault.stdout)).toEqual({
      ok: true,
      account: 'default',
      shortcode: '174379',
      problem: null,
    })
  })

  it.each([
    [['--shortcode', '6001'], SECRETS, '--shortcode must be 5 to 8 digits'],
    [['--shortcode', '600111', '--till', 'x'], SECRETS, '--till must be 5 to 8 digits'],
    [['--shortcode', '600111', '--pull'], SECRETS, '--pull needs --unique-reference'],
    [['--shortcode', '600111'], 'one\ntwo\n', 'must be three, printable and without blanks'],
    [['--shortcode', '600111'], 'a b\nc\nd\n', 'must be three, printable and without blanks'],
  ])('say what would be right: %j', async (words, input, problem) => {
    const ended = await run(['create', '--partner', partner, ...words], input)
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(problem) })
    expect(ended.stderr).not.toContain('hush')
  })

  it('are sealed again under another SECRET_KEY', async () => {
    const keys = { DATABASE_URL: own.url, SECRET_KEY: 'cd'.repeat(32) }
    const without = await typeCommand(['secrets', 'rotate'], keys)
    expect(without).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/Left as it is: partner_accounts 1 /),
    })
    const both = await typeCommand(['secrets', 'rotate'], { ...keys, SECRET_KEY_PREVIOUS: TEST_SECRET_KEY })
    expect(both).toMatchObject({ code: 0, stdout: expect.stringMatching(/^4 secrets are sealed/) })
  })
})
