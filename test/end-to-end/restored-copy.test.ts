import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readMarks } from '../../src/database/mark/mark-files.ts'
import { keepCopy, putBack } from '../support/database-copies.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'

describe('a database that is put back to an older copy', () => {
  let gateway: TestGateway
  let copy: string
  /** Two replicas, with a spool each: one that gives numbers out, and one that hardly does. */
  let one: GatewayProcess
  let idle: GatewayProcess
  /** Every id that a partner was answered with. */
  const given: number[] = []

  const start = (name: string): Promise<GatewayProcess> =>
    gateway.start('serve', {
      SPOOL_DIR: join(gateway.spoolFolder, name),
      ...(name === 'idle' && { HTTP_PORT: '0' }),
    })

  /** Asks for a payment until it is accepted. */
  const pay = (process: GatewayProcess): Promise<number> => {
    const key = crypto.randomUUID()
    return eventually(async () => {
      const answer = await fetch(`${process.ready['http_url']}/api/v1/mpesa/stk_push`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': gateway.apiKey,
          'x-idempotency-key': key,
        },
        body: JSON.stringify({ phone: '254712345678', amount: 150, callback_url: 'https://duka.co.ke/paid' }),
      })
      const body = (await answer.json()) as { status: string; transaction_id: number }
      if (answer.status !== 503) expect(body).toMatchObject({ status: 'success' })
      expect(answer.status).toBe(200)
      given.push(body.transaction_id)
      return body.transaction_id
    })
  }

  const expectNew = async (process: GatewayProcess): Promise<void> => {
    const highest = Math.max(...given)
    expect(await pay(process)).toBeGreaterThan(highest)
  }

  const readiness = async (process: GatewayProcess): Promise<unknown> =>
    (await fetch(`${process.ready['ops_url']}/readyz`)).json()

  beforeAll(async () => {
    gateway = await startTestGateway()
    one = await start('one')
    await pay(one)
    await one.end()
    copy = await keepCopy(gateway.databaseUrl)
    ;[one, idle] = await Promise.all([start('one'), start('idle')])
  })
  afterAll(() => gateway?.close())

  const restore = (): Promise<void> => putBack(gateway.databaseUrl, copy)

  it('under a serve that runs: it goes on, without a number that was given out', async () => {
    expect(await readiness(one)).toEqual({ ready: true, database: 'ok', queue: 'ok' })
    for (let count = 0; count < 3; count += 1) await pay(one)
    await restore()
    await expectNew(idle)
    await expectNew(one)
  })

  it('it says so, and works', async () => {
    const numbers =
      'the database is older than what was given out: was it restored from a copy? Run gateway restored'
    await eventually(async () =>
      expect(await readiness(one)).toEqual({ ready: true, database: 'ok', queue: 'ok', numbers }),
    )
    await eventually(() =>
      expect(one.log()).toMatch(
        /"level":"error".*"event":"database_older".*"payments_missing":"above 1 up to/,
      ),
    )
    const metrics = await (await fetch(`${one.ready['ops_url']}/metrics`)).text()
    expect(metrics).toContain('gateway_database_restored 1\n')
    expect(one.log()).not.toContain('"level":"fatal"')
  })

  it('while serve was killed: it starts, without a number that was given out, and says so', async () => {
    await Promise.all([one.end('SIGKILL'), idle.end('SIGKILL')])
    await restore()
    one = await start('one')
    await expectNew(one)
    await eventually(() => expect(one.log()).toContain('"event":"database_older"'))
    idle = await start('idle')
    await expectNew(idle)
  })

  it('a serve that is asked to end leaves a mark that knows the last payment it answered', async () => {
    const paid = await pay(one)
    expect(await one.end()).toBe(0)
    const { mark } = await readMarks(join(gateway.spoolFolder, 'one'))
    expect(mark?.newestPayment).toBe(BigInt(paid))
  })
})
