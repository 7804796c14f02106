import { open } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

describe('a command whose output cannot be written', { timeout: 60_000 }, () => {
  let own: OpenDatabase
  let database: Database
  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 1 })
    database = own.database
  })
  afterAll(() => own.close())

  const environment = () => ({ DATABASE_URL: own.url, SECRET_KEY: TEST_SECRET_KEY })

  /** Types it with its output to a disk that is full. */
  const typeToFullDisk = async (words: readonly string[]): Promise<Typed> => {
    const full = await open('/dev/full', 'w')
    try {
      return await typeCommand(words, environment(), '', { output: full.fd })
    } finally {
      await full.close()
    }
  }

  it('fails, and says that it could not be written', async () => {
    const typed = await typeToFullDisk(['partners', 'list', '--json'])
    expect(typed).toMatchObject({
      code: 1,
      stderr: 'the output could not be written: ENOSPC: no space left on device, write\n',
    })
  })

  it.each([['--json'], ['--by', 'amina']])(
    'and would have shown a secret this once: says what was made and what to do (%s)',
    async (...more) => {
      const partner = await typeToFullDisk(['partners', 'create', '--name', 'Duka', ...more])
      const { id } = await database
        .selectFrom('partners')
        .select('id')
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow()
      expect(partner.code).toBe(1)
      expect(partner.stderr).toContain(
        `partner ${id} was created, but its key and its signing secret were not shown: give it others with gateway partners keys create ${id} --name NAME and gateway partners signing-secret rotate ${id}`,
      )
      const others = [
        await typeToFullDisk(['partners', 'keys', 'create', String(id), '--name', 'till', ...more]),
        await typeToFullDisk(['partners', 'keys', 'rotate', String(id * 2n), ...more]),
        await typeToFullDisk(['partners', 'signing-secret', 'rotate', String(id), ...more]),
        await typeToFullDisk(['tokens', 'create', '--name', 'till', '--scope', 'payments:read', ...more]),
      ]
      expect(others.map(({ code }) => code)).toEqual([1, 1, 1, 1])
      for (const { stderr } of others) expect(stderr).toMatch(/ not shown: .*gateway \w+ /)
    },
  )
})
