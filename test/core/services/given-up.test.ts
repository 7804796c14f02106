import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { sql } from 'kysely'
import { Client as PostgresClient } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

// A read whose caller does not wait any more is worth nothing: Postgres is told so.

let test: TestCore
let transports: Transports
beforeAll(async () => {
  test = await startTestCore()
  transports = await startTransports(test)
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

/** Whoever reads payments waits for it. */
let locker: PostgresClient
beforeEach(async () => {
  locker = new PostgresClient({ connectionString: test.databaseUrl })
  await locker.connect()
  await locker.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE')
})
afterEach(() => locker.end())

/** How many statements on payments wait for a lock, as `pg_stat_activity` shows them. */
const countWaiting = async (): Promise<number> => {
  const { rows } = await sql<{ waiting: number }>`
    SELECT count(*)::int AS waiting FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%from "payments"%'
  `.execute(test.database)
  return rows[0]?.waiting ?? 0
}

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('over %s', (protocol) => {
  const call = (options: { signal?: AbortSignal; timeoutMs?: number }): Promise<unknown> => {
    const transport = transports.over[protocol]
    if (transport === undefined) throw new Error(`no protocol ${protocol}`)
    return createClient(PaymentService, transport)
      .getPayment({ paymentId: 1n }, { headers: test.headers, ...options })
      .catch((error: unknown) => ConnectError.from(error))
  }

  it('a read is cancelled in Postgres once its caller has gone', async () => {
    const gone = new AbortController()
    const answer = call({ signal: gone.signal })
    await eventually(async () => expect(await countWaiting()).toBe(1))
    gone.abort()
    expect(await answer).toMatchObject({ code: Code.Canceled })
    await eventually(async () => expect(await countWaiting()).toBe(0))
  })

  it('a read is cancelled in Postgres once its deadline has passed', async () => {
    const answer = call({ timeoutMs: 1_500 })
    await eventually(async () => expect(await countWaiting()).toBe(1))
    expect(await answer).toMatchObject({ code: Code.DeadlineExceeded })
    await eventually(async () => expect(await countWaiting()).toBe(0))
  })
})

it('a read whose deadline has passed says so in a detail, to whoever still listens', async () => {
  const answer = await fetch(
    `http://127.0.0.1:${transports.connectPort}/mpesa.gateway.v1.PaymentService/GetPayment`,
    {
      method: 'POST',
      headers: { ...test.headers, 'content-type': 'application/json', 'connect-timeout-ms': '500' },
      body: '{"paymentId":"1"}',
    },
  )
  expect([answer.status, await answer.json()]).toEqual([
    504,
    {
      code: 'deadline_exceeded',
      message: expect.any(String),
      details: [expect.objectContaining({ debug: { reason: 'DEADLINE_EXCEEDED', domain: 'mpesa.gateway' } })],
    },
  ])
})

it('the connections that were cancelled on are as good as before', async () => {
  await locker.query('ROLLBACK')
  const transport = transports.over['gRPC']
  const page = await createClient(PaymentService, transport).listPayments({}, { headers: test.headers })
  expect(page.payments).toEqual([])
})
