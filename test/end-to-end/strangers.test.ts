import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { Agent, request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openDatabaseLink, type TcpLink } from '../support/tcp-link.ts'

const BODIES = 600
const BODY_BYTES = 65_000

/** What `serve` may keep of strangers in a minute, with no setting, and twice that, for a minute may end meanwhile. */
const MAY_KEEP_BYTES = 2 * 512 * 1024

let gateway: TestGateway | undefined
let link: TcpLink | undefined
afterEach(async () => {
  await gateway?.close()
  await link?.close()
})

/** What a stranger does: nothing but POST, at a path that anybody guesses. */
const flood = async (httpUrl: string): Promise<Map<number, number>> => {
  const agent = new Agent({ connections: 20 })
  const statuses = new Map<number, number>()
  await Promise.all(
    Array.from({ length: BODIES }, async () => {
      const answer = await request(`${httpUrl}/callbacks/stk/zzz`, {
        dispatcher: agent,
        method: 'POST',
        body: randomBytes(BODY_BYTES),
      })
      await answer.body.dump()
      statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1)
    }),
  )
  await agent.close()
  return statuses
}

const bytesIn = async (folder: string): Promise<number> => {
  const names = await readdir(folder)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe('a flood of callbacks whose token nobody issued, with the settings that nobody set', () => {
  it('fills no database: what is kept of them has a budget in bytes', async () => {
    gateway = await startTestGateway({ serve: 1 })
    const before = await databaseBytes(gateway)
    const statuses = await flood(gateway.httpUrl)
    expect((await databaseBytes(gateway)) - before).toBeLessThan(2 * MAY_KEEP_BYTES)
    expect(statuses.get(200)).toBeGreaterThan(0)
    expect((statuses.get(200) ?? 0) + (statuses.get(429) ?? 0)).toBe(BODIES)
  })

  it('fills no spool while Postgres is away', async () => {
    gateway = await startTestGateway()
    const way = await openDatabaseLink(gateway.databaseUrl)
    link = way.link
    await gateway.start('serve', { DATABASE_URL: way.url })
    link.block()
    const statuses = await flood(gateway.httpUrl)
    expect(await bytesIn(gateway.spoolFolder)).toBeLessThan(MAY_KEEP_BYTES)
    expect(statuses.get(200)).toBeGreaterThan(0)
    expect((statuses.get(200) ?? 0) + (statuses.get(429) ?? 0)).toBe(BODIES)
  })
})

const databaseBytes = async ({ database }: TestGateway): Promise<number> => {
  const { rows } = await sql<{ bytes: string }>`SELECT pg_database_size(current_database()) AS bytes`.execute(
    database,
  )
  return Number(rows[0]?.bytes)
}
