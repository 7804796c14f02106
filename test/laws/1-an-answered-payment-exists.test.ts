import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAcceptor } from '../../src/core/request/accept.ts'
import { parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { forgetfulNumbers } from '../support/forgetful-numbers.ts'
import { type OwnPostgres, startOwnPostgres } from '../support/own-server.ts'
import { quietLog } from '../support/quiet-log.ts'
import { paymentRequest } from '../support/requests.ts'

describe('law 1: an answered payment exists', () => {
  let postgres: OwnPostgres
  let database: Database

  const connect = (): Database => connectDatabase({ databaseUrl: postgres.url, poolSize: 2, log: quietLog })

  beforeAll(async () => {
    // Nothing but a commit writes the log to the disk, nor by chance soon after.
    postgres = await startOwnPostgres({ settings: { wal_writer_delay: '10s', bgwriter_delay: '10s' } })
    await migrateToLatest({ databaseUrl: postgres.url, log: quietLog })
    database = connect()
  }, 120_000)
  afterAll(async () => {
    await database.destroy()
    await postgres.close()
  }, 60_000)

  it('after a kill -9 of Postgres at the moment of the answer', async () => {
    const acceptor = createAcceptor({ database, submitTtlMs: 60_000, numbers: forgetfulNumbers })
    const policy = { allowHttp: true, allowPrivateNetworks: true }
    const request = parsePaymentRequest(paymentRequest(), { policy })
    if ('refusal' in request) throw new Error('the request is refused')
    const accepted = await Promise.all(
      Array.from({ length: 20 }, () => acceptor.add({ partnerId: 1n, request: request.request })),
    )
    await postgres.end('kill')
    await database.destroy()
    await postgres.start()
    database = connect()
    const stored = await database.selectFrom('payments').select('id').orderBy('id').execute()
    expect(stored.map(({ id }) => id)).toEqual(accepted.map(({ paymentId }) => paymentId))
  }, 120_000)
})
