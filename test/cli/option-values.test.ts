import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

describe('what is typed for an option', { timeout: 60_000 }, () => {
  let own: TestDatabase
  beforeAll(async () => {
    own = await createTestDatabase()
    await type('partners', 'create', '--name', 'Duka')
    await type('partners', 'set', '1', '--callback-host', 'shop.co.ke')
  })
  afterAll(() => own.drop())

  const type = (...words: string[]) =>
    typeCommand(words, {
      DATABASE_URL: own.url,
      SECRET_KEY: TEST_SECRET_KEY,
      ACCOUNT_CONSUMER_KEY: 'key',
      ACCOUNT_CONSUMER_SECRET: 'secret',
      ACCOUNT_PASSKEY: 'passkey',
    })

  const ACCOUNT = ['accounts', 'create', '--partner', '1', '--shortcode', '600111']

  it.each([
    [['partners', 'set', '1', '--rate', '', '--max-daily', '5'], '--rate must not be empty'],
    [['partners', 'set', '1', '--callback-host', 'pay.co.ke', ''], '--callback-host must not be empty'],
    [[...ACCOUNT, '--till', ''], '--till must not be empty'],
    [['payments', 'list', '--partner', ''], '--partner must not be empty'],
    [['deliveries', 'list', '--until', ''], '--until must not be empty'],
  ])('is refused when it is empty, as an unset variable of a shell is: %s', async (words, message) => {
    expect(await type(...words)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    })
  })

  it.each([[['none', 'shop.co.ke']], [['shop.co.ke', 'none']]])(
    'is hosts, or none, and not both: %s',
    async (hosts) => {
      expect(await type('partners', 'set', '1', '--callback-host', ...hosts)).toMatchObject({
        code: 2,
        stderr: '--callback-host must be hosts, or none alone\n',
      })
    },
  )

  it.each(['1e2', '0x10', ' 5 ', '+5', '5.0'])('is a number in digits: --limit %j', async (limit) => {
    const answers = [
      await type('payments', 'list', '--limit', limit),
      await type('deliveries', 'list', '--limit', limit),
      await type('audit', 'list', '--limit', limit),
    ]
    const stderr = `--limit must be a whole number from 1 to 1000, not ${limit}\n`
    expect(answers).toMatchObject(answers.map(() => ({ code: 2, stdout: '', stderr })))
  })

  it('has changed nothing', async () => {
    const shown = JSON.parse((await type('partners', 'show', '1', '--json')).stdout)
    expect(shown).toMatchObject({
      callback_hosts: ['shop.co.ke'],
      requests_per_second: null,
      max_daily_kes: null,
    })
    expect((await type('accounts', 'list', '--json')).stdout).toBe('[]\n')
  })
})
