import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { GATEWAY_SOURCES } from '../support/tested-gateway.ts'

/** Nobody's number in the list of users, as in a container that is run under a number of its own. */
const NOBODYS = { uid: 41_742, gid: 41_742 }

/** Only root may take another user's place, and the sources may lie where that one cannot read. */
const canBeNobody =
  process.getuid?.() === 0 && spawnSync('test', ['-r', GATEWAY_SOURCES], NOBODYS).status === 0

describe('the operator at a shell', () => {
  let own: TestDatabase
  beforeAll(async () => {
    own = await createTestDatabase()
  })
  afterAll(() => own.drop())

  const type = (words: readonly string[]) =>
    typeCommand(words, { DATABASE_URL: own.url }, '', { user: NOBODYS, main: GATEWAY_SOURCES })

  it.runIf(canBeNobody)(
    'may be a user without a name: is helped, reads, and is written down by number',
    async () => {
      expect(await type(['--help'])).toMatchObject({ code: 0, stderr: '' })
      expect(await type(['partners', 'list', '--json'])).toMatchObject({ code: 0, stdout: '[]\n' })
      expect(await type(['tokens', 'create', '--name', 'till', '--scope', 'payments:read'])).toMatchObject({
        code: 0,
        stderr: '',
      })
      const { stdout } = await type(['audit', 'list', '--json'])
      expect(JSON.parse(stdout)).toMatchObject([{ actor: 'uid:41742', action: 'created' }])
    },
    60_000,
  )

  it('gives scopes as `tokens list` prints them, and none that is unknown', async () => {
    const typeTokens = (...words: string[]) => typeCommand(['tokens', ...words], { DATABASE_URL: own.url })
    const create = (scope: string) => typeTokens('create', '--name', 'desk', '--scope', scope, '--json')
    const made = await create('payments:read, audit:read')
    expect(JSON.parse(made.stdout)).toMatchObject({ scopes: ['payments:read', 'audit:read'] })
    expect(await create('payments:read,audit:write')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^--scope must be at least one of payments:read, /),
    })
  })

  it('is not created where no link could be shown: the next try would find the name taken', async () => {
    const words = ['operators', 'create', '--name', 'akinyi', '--role', 'look']
    const refused = await typeCommand(words, {
      DATABASE_URL: own.url,
      CONSOLE_URL: 'https://console.co.ke/ops',
    })
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^CONSOLE_URL must be /),
    })
    expect(await typeCommand(words, { DATABASE_URL: own.url })).toMatchObject({ code: 0 })
  })

  it.each([
    ['0.0.0.0', 'http://127.0.0.1:8083'],
    ['::1', 'http://[::1]:8083'],
  ])('is given a link that a browser opens where the console listens at %s', async (host, base) => {
    const name = `wanjiku-${host === '::1' ? 'one' : 'all'}`
    const words = ['operators', 'create', '--name', name, '--role', 'look', '--json']
    const { stdout } = await typeCommand(words, { DATABASE_URL: own.url, CONSOLE_HOST: host })
    expect(JSON.parse(stdout).sign_in_url).toMatch(new RegExp(`^${RegExp.escape(base)}/sign-in/link#`))
  })

  it('is asked for nothing before a command needs to know who it is', async () => {
    const typed = await typeCommand(['payments', 'settle', '--help'], {})
    expect(typed.stdout.replaceAll(/\s+/g, ' ')).toContain('(default: the user who is logged in)')
  })
})
