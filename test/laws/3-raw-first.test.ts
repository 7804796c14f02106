import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestSpool, startTestCore, type TestCore } from '../support/core.ts'

const BODY = '{"Body":{"stkCallback":{"ResultCode":0}}}'

describe('law 3: raw first', () => {
  let folder: string
  let test: TestCore

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'law-3-'))
    test = await startTestCore({ spool: await openTestSpool(folder), callbackPatienceMs: 200 })
  })
  afterAll(async () => {
    await test.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const receive = () =>
    test.clients.darajaCallbacks.receiveStkCallback({
      token: '0'.repeat(48),
      body: Buffer.from(BODY),
      headers: [],
      sourceAddress: '127.0.0.1',
    })

  const spooled = async (): Promise<string> => {
    const names = await readdir(folder)
    return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('')
  }

  it('when a callback is acknowledged its bytes are in Postgres', async () => {
    await receive()
    const stored = await test.database.selectFrom('callbacks').select('body').execute()
    expect(stored.map(({ body }) => body.toString())).toEqual([BODY])
  })

  it('or, when Postgres does not take them, on the disk', async () => {
    await test.database.transaction().execute(async (transaction) => {
      await sql`LOCK TABLE callbacks IN ACCESS EXCLUSIVE MODE`.execute(transaction)
      await receive()
      expect(await spooled()).toContain(BODY)
    })
  })
})
