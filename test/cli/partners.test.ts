import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Typed, typeCommand } from '../support/command.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

describe('gateway partners, tokens and audit', { timeout: 120_000 }, () => {
  let own: TestDatabase
  beforeAll(async () => {
    own = await createTestDatabase()
  })
  afterAll(() => own.drop())

  const run = (...words: string[]): Promise<Typed> =>
    typeCommand(words, { DATABASE_URL: own.url, SECRET_KEY: TEST_SECRET_KEY })

  const json = async (...words: string[]) => {
    const ended = await run(...words, '--json')
    expect(ended).toMatchObject({ code: 0 })
    return JSON.parse(ended.stdout)
  }

  it('bound, disable and enable a partner, and say what was wrong with a bound', async () => {
    const { partner_id } = await json('partners', 'create', '--name', 'Duka', '--by', 'amina')
    const id = String(partner_id)
    await json(
      'partners',
      'set',
      id,
      '--callback-host',
      'shop.co.ke',
      '*.pay.co.ke',
      '--rate',
      '50',
      '--max-payment',
      '5000',
    )
    await json('partners', 'set', id, '--max-daily', '100000', '--rate', 'none')
    await json('partners', 'disable', id)
    expect(await json('partners', 'show', id)).toMatchObject({
      name: 'Duka',
      disabled_at: expect.any(String),
      callback_hosts: ['shop.co.ke', '*.pay.co.ke'],
      requests_per_second: null,
      max_payment_kes: 5000,
      max_daily_kes: 100_000,
    })
    await json('partners', 'enable', id)
    expect(await json('partners', 'show', id)).toMatchObject({ disabled_at: null })
    // One after the other: a machine that is busy already starts five processes at once too slowly.
    const wrong = [
      await run('partners', 'set', id, '--rate', '0'),
      await run('partners', 'set', id, '--callback-host', 'https://shop.co.ke'),
      await run('partners', 'set', id),
      await run('partners', 'disable', '999'),
      await run('partners', 'show', 'duka'),
    ]
    expect(wrong.map(({ code, stderr }) => [code, stderr.trim()])).toEqual([
      [2, '--rate must be a whole number from 1 to 100000, or none'],
      [
        2,
        '--callback-host must be hosts like shop.co.ke, or *.shop.co.ke for every host below it, without a port, or none',
      ],
      [2, 'nothing is to be set: name a bound'],
      [2, 'there is no partner 999'],
      [2, 'the partner must be an id, a positive whole number, not duka'],
    ])
    const lines = await json('audit', 'list', '--partner', id, '--subject', 'partner')
    expect(lines.map((line: { action: string }) => line.action)).toEqual([
      'enabled',
      'disabled',
      'set',
      'set',
      'created',
    ])
    expect(lines.at(-1)).toMatchObject({ actor: 'amina', subject: `partner ${id}`, after: { name: 'Duka' } })
  })

  it('create, list, rotate and revoke keys, which are shown once', async () => {
    const { partner_id, api_key } = await json('partners', 'create', '--name', 'Shule')
    const id = String(partner_id)
    const made = await json('partners', 'keys', 'create', id, '--name', 'web shop', '--expires-in', '90d')
    const rotated = await json(
      'partners',
      'keys',
      'rotate',
      String(made.key_id),
      '--overlap',
      '1h',
      '--by',
      'amina',
    )
    await json('partners', 'keys', 'revoke', String(rotated.key_id))
    const secrets = [api_key, made.api_key, rotated.api_key]
    for (const secret of secrets) expect(secret).toMatch(/^mpg_[0-9A-Za-z]{49}$/)
    const listed = await run('partners', 'keys', 'list', id, '--json')
    for (const secret of secrets) expect(listed.stdout).not.toContain(secret)
    const keys: { name: string; expires_at: string | null; revoked_at: string | null }[] = JSON.parse(
      listed.stdout,
    )
    expect(
      keys.map(({ name, expires_at, revoked_at }) => [name, expires_at !== null, revoked_at !== null]),
    ).toEqual([
      ['first', false, false],
      ['web shop', true, false],
      ['web shop', true, true],
    ])
    const again = await run('partners', 'keys', 'revoke', String(rotated.key_id))
    expect(again).toMatchObject({
      code: 2,
      stderr: `there is no key ${rotated.key_id}, or it was revoked already\n`,
    })
    const lines = await json('audit', 'list', '--partner', id, '--subject', 'key')
    expect(lines.map((line: { action: string }) => line.action)).toEqual(['revoked', 'rotated', 'created'])
    expect(JSON.stringify(lines)).not.toContain('mpg_')
  })

  it('create, list and revoke tokens', async () => {
    const { token } = await json(
      'tokens',
      'create',
      '--name',
      'till',
      '--scope',
      'payments:write',
      'payments:read',
    )
    const [listed] = await json('tokens', 'list')
    expect(listed).toMatchObject({
      name: 'till',
      scopes: ['payments:write', 'payments:read'],
      revoked_at: null,
    })
    expect(token.startsWith(listed.token.replace('…', ''))).toBe(true)
    await json('tokens', 'revoke', String(listed.token_id))
    expect((await json('tokens', 'list'))[0].revoked_at).toEqual(expect.any(String))
    expect((await json('audit', 'list', '--subject', 'token', '--limit', '1'))[0]).toMatchObject({
      action: 'revoked',
    })
  })
})
