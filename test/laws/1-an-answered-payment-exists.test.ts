import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAcceptor } from '../../src/core/request/accept.ts'
import { parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import type { LocalServer } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { quietLog } from '../support/core.ts'
import { forgetfulNumbers } from '../support/forgetful-numbers.ts'
import { paymentRequest } from '../support/requests.ts'

describe('law 1: an answered payment exists', () => {
  let folder: string
  let postgres: LocalServer
  let database: Database

  const start = async (port?: number): Promise<void> => {
    postgres = await startEmbeddedPostgres({
      dataFolder: folder,
      ...(port !== undefined && { port }),
      // Nothing but a commit writes the log to the disk, nor by chance soon after.
      settings: { wal_writer_delay: '10s', bgwriter_delay: '10s' },
      say: () => undefined,
    })
    database = connectDatabase({ databaseUrl: postgres.url, poolSize: 2, log: quietLog })
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'law-1-'))
    await start()
    await migrateToLatest({ databaseUrl: postgres.url, log: quietLog })
  }, 120_000)
  afterAll(async () => {
    await database.destroy()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  it('after a kill -9 of Postgres at the moment of the answer', async () => {
    const acceptor = createAcceptor({ database, submitTtlMs: 60_000, numbers: forgetfulNumbers })
    const policy = { allowHttp: true, allowPrivateNetworks: true }
    const request = parsePaymentRequest(paymentRequest(), { policy })
    if ('refusal' in request) throw new Error('the request is refused')
    const accepted = await Promise.all(
      Array.from({ length: 20 }, () => acceptor.add({ partnerId: 1n, request: request.request })),
    )
    process.kill(postgres.pid, 'SIGKILL')
    await database.destroy()
    await postgres.stop()
    await start(postgres.port)
    const stored = await database.selectFrom('payments').select('id').orderBy('id').execute()
    expect(stored.map(({ id }) => id)).toEqual(accepted.map(({ paymentId }) => paymentId))
  }, 120_000)
})
