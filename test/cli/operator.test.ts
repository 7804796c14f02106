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

  it('is asked for nothing before a command needs to know who it is', async () => {
    const typed = await typeCommand(['payments', 'settle', '--help'], {})
    expect(typed.stdout.replaceAll(/\s+/g, ' ')).toContain('(default: the user who is logged in)')
  })
})
