import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { type DarajaRelay, openDarajaRelay, PUSH_PATH } from '../../support/daraja-relay.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayment, readMoves, readPayment } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { openDatabaseLink, type TcpLink } from '../../support/tcp-link.ts'

describe('the outcome of a push while Postgres is away', () => {
  let own: TestDatabase
  let link: TcpLink
  let database: Database
  let relay: DarajaRelay
  let test: TestCore
  /** Set: Postgres goes away as soon as a push has come to Daraja. */
  let isFailing = false

  beforeAll(async () => {
    own = await createTestDatabase()
    const way = await openDatabaseLink(own.url)
    link = way.link
    database = connectDatabase({ databaseUrl: way.url, poolSize: 6, log: quietLog })
    relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: ({ path }) => {
        if (isFailing && path === PUSH_PATH) link.block()
        return undefined
      },
    })
    test = await startTestCore({ database, config: { daraja: { baseUrl: relay.url } } })
  })
  afterAll(async () => {
    link.open()
    await test.stop()
    await database.destroy()
    await relay.close()
    await link.close()
    await own.drop()
  })

  it('is recorded once it is back, however late: nothing is pushed again', async () => {
    isFailing = true
    const paymentId = await acceptPayment(database)
    await eventually(() => expect(relay.callsTo(PUSH_PATH)).toMatchObject([{ status: 200 }]))
    isFailing = false
    link.open()
    await eventually(async () => {
      expect(await readPayment(database, paymentId)).toMatchObject({
        state: 'submitted',
        checkout_request_id: expect.stringMatching(/^ws_CO_/),
      })
    })
    expect(await readMoves(database, paymentId)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
    ])
    expect(relay.callsTo(PUSH_PATH)).toHaveLength(1)
  })
})
