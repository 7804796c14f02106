import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rotateSigningSecret } from '../../src/core/partners/signing-secret.ts'
import type { Database } from '../../src/database/connect.ts'
import { testActor } from '../support/actor.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

describe('gateway partners signing-secret', () => {
  let own: OpenDatabase
  let database: Database
  let partner: string

  const run = (words: string[], environment: Record<string, string> = {}): Promise<Typed> =>
    typeCommand(['partners', ...words], {
      DATABASE_URL: own.url,
      SECRET_KEY: TEST_SECRET_KEY,
      ...environment,
    })
  const list = async (): Promise<{ id: number; expires_at: string | null }[]> =>
    JSON.parse((await run(['signing-secret', 'list', partner, '--json'])).stdout)

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  it('comes with a partner, shown once after its key, and is nowhere in the database as it is', async () => {
    const { stdout } = await run(['create', '--name', 'Duka', '--json'])
    const created = JSON.parse(stdout)
    expect(Object.keys(created)).toEqual(['partner_id', 'api_key', 'signing_secret'])
    expect(created.signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    partner = String(created.partner_id)
    const { rows } = await sql<{ secret_sealed: string }>`SELECT secret_sealed FROM signing_secrets`.execute(
      database,
    )
    expect(rows).toEqual([{ secret_sealed: expect.stringMatching(/^s1\.[0-9a-f]{8}\./) }])
    expect((await run(['create', '--name', 'Shule'])).stdout).toMatch(/whsec_/)
  })

  it('is replaced with an overlap, and listed without any secret', async () => {
    const { stdout } = await run(['signing-secret', 'rotate', partner, '--overlap', '48h', '--json'])
    const rotated = JSON.parse(stdout)
    expect(rotated.signing_secret).toMatch(/^whsec_/)
    const [current, previous] = await list()
    expect(current?.expires_at).toBeNull()
    expect(previous?.expires_at).toBe(rotated.previous_until)
    const hours = (Date.parse(rotated.previous_until) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(47.9)
    expect(hours).toBeLessThanOrEqual(48)
    expect((await run(['signing-secret', 'list', partner])).stdout).not.toMatch(/whsec_|s1\./)
  })

  it('is refused while five sign, unless the others are to end', async () => {
    const options = { database, vault: testVault, partnerId: BigInt(partner), randomBytes }
    for (let count = 0; count < 3; count += 1)
      await rotateSigningSecret({ actor: testActor, ...options, overlapMs: 60_000 })
    const ends = (await list()).map(({ expires_at }) => expires_at)
    expect(ends).toHaveLength(5)
    expect(ends.filter((end) => end !== null && Date.parse(end) > Date.now() + 60_000)).toEqual([])
    const refused = await run(['signing-secret', 'rotate', partner])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('5 secrets of partner') })
    await rotateSigningSecret({ actor: testActor, ...options, overlapMs: 0 })
    expect(await list()).toEqual([expect.objectContaining({ expires_at: null })])
  })

  it('is written down in the audit log, with who did it, and without the secret', async () => {
    await run(['signing-secret', 'rotate', partner, '--by', 'wanjiku'])
    const { rows } = await sql<{ line: Record<string, unknown> }>`
      SELECT to_jsonb(audit) AS line FROM audit WHERE subject_kind = 'signing_secret' ORDER BY id DESC LIMIT 1
    `.execute(database)
    expect(rows[0]?.line).toMatchObject({ actor_name: 'wanjiku', action: 'rotated' })
    expect(JSON.stringify(rows)).not.toMatch(/whsec_|s1\./)
  })

  it.each([
    [['rotate', '999'], 'there is no partner 999'],
    [['rotate', 'x'], 'the partner must be an id'],
    [['rotate', '1', '--overlap', 'soon'], '--overlap must be a number and a unit'],
    [['rotate', '1', '--overlap', '31d'], '--overlap must be 30d at most'],
  ])('says what would be right: %j', async (words, problem) => {
    const ended = await run(['signing-secret', ...words])
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(problem) })
  })

  it('needs the SECRET_KEY that the processes have', async () => {
    const ended = await run(['signing-secret', 'rotate', partner], { SECRET_KEY: '' })
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('SECRET_KEY is required') })
  })
})
