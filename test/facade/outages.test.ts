import { randomBytes } from 'node:crypto'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCore } from '../../src/core/core.ts'
import { createCoreMetrics } from '../../src/core/metrics.ts'
import { createInProcessClients } from '../../src/core/server/in-process.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { startFacade } from '../../src/facade/server.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { type CuttableConnection, openCuttableConnection } from './cuttable-connection.ts'
import {
  ask,
  countPayments,
  errorBody,
  openFacade,
  partnerHeaders,
  paymentBody,
  push,
  type TestFacade,
} from './harness.ts'

describe('while the database is away', () => {
  const UNAVAILABLE =
    'the gateway cannot answer just now: repeat the request, with the same X-Idempotency-Key if it had one'
  let whole: TestFacade
  /** Beside the whole one, on the same database, by a way that is cut. */
  let test: TestFacade
  let way: CuttableConnection

  beforeAll(async () => {
    whole = await openFacade()
    way = await openCuttableConnection(whole.databaseUrl)
    const { log } = whole.options
    const database = connectDatabase({ databaseUrl: way.url, poolSize: 4, log })
    const core = createCore({
      ...whole.options,
      database,
      metrics: createCoreMetrics(new Registry(), database),
    })
    core.start()
    const httpPort = await freePort()
    const facade = await startFacade({
      ...createInProcessClients(core.services),
      log,
      randomBytes,
      publicUrl: 'http://127.0.0.1:8080',
      deliveryScheduleMs: [0],
      host: '127.0.0.1',
      port: httpPort,
    })
    const stop = async (): Promise<void> => {
      await facade.close()
      await core.stop()
      await database.destroy()
    }
    test = { ...whole, facade, core, httpPort, url: facade.url, stop }
    expect((await push(test, paymentBody())).status).toBe(200)
    await way.cut()
  })
  afterAll(async () => {
    await test.stop()
    await whole.stop()
  })

  it.each([
    ['a payment', `POST /api/v1/mpesa/stk_push`, paymentBody()],
    ['a transaction', 'GET /api/v1/mpesa/transactions/1', undefined],
    ['the list', 'GET /api/v1/mpesa/transactions', undefined],
  ])('whoever asks for %s is asked to try again', async (_what, line, body) => {
    const answer = await ask(test, line, partnerHeaders(test), body)
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1', 'x-request-id': expect.any(String) },
      body: errorBody(UNAVAILABLE),
    })
    const id = answer.headers['x-request-id'] ?? ''
    expect(whole.logLines.filter((logged) => logged.includes(id)).join('')).toContain(
      '"event":"request_unavailable"',
    )
  })

  it('a callback is acknowledged, and stored once some replica with the same spool reaches the database', async () => {
    const answer = await ask(test, 'POST /callbacks/stk/abc', [], '{"while":"away"}')
    expect(answer).toMatchObject({ status: 200, body: '{"ResultCode":0,"ResultDesc":"Success"}' })
    await eventually(async () => {
      const stored = await whole.database.selectFrom('callbacks').select('body').execute()
      expect(stored.map(({ body }) => body.toString())).toEqual(['{"while":"away"}'])
    })
  })

  it('what is wrong by itself is answered as ever, and the process is alive', async () => {
    expect((await ask(test, 'GET /healthz')).status).toBe(200)
    expect((await ask(test, 'GET /api/v1/mpesa/transactions')).status).toBe(401)
    expect((await push(test, '{')).status).toBe(400)
  })

  it('nothing was accepted', async () => {
    expect(await countPayments(whole)).toBe(1)
  })
})

describe('a defect', () => {
  let test: TestFacade
  beforeAll(async () => {
    test = await openFacade()
    await test.database.schema.dropTable('idempotency_keys').execute()
  })
  afterAll(() => test.stop())

  it('shows the request id and nothing of the inside; the cause is in the log', async () => {
    const answer = await push(test, paymentBody(), ['X-Request-Id: defect-1', 'X-Idempotency-Key: k'])
    expect(answer).toMatchObject({
      status: 500,
      headers: { 'x-request-id': 'defect-1' },
      body: errorBody('internal error: quote the request id defect-1 when you report it'),
    })
    const line = test.logLines.find((logged) => logged.includes('"event":"request_failed"')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      request_id: 'defect-1',
      method: 'POST',
      route: '/api/v1/mpesa/stk_push',
      status: 500,
      err: { message: expect.any(String) },
    })
    // Where the core is apart, the cause is in its own line.
    const lines = test.logLines.filter((logged) => logged.includes('defect-1')).join('')
    expect(lines).toContain('idempotency_keys')
    expect(lines).not.toContain(test.apiKey)
    expect(lines).not.toContain('254700000022')
  })
})
