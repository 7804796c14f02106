import { setTimeout as pause } from 'node:timers/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DarajaRelay, openDarajaRelay, PUSH_PATH } from '../support/daraja-relay.ts'
import { eventually } from '../support/eventually.ts'
import { addPartner, type TestPartner } from '../support/partner.ts'
import { paymentRequest } from '../support/requests.ts'
import {
  type Answer,
  ask,
  countPayments,
  openFacade,
  paymentBody,
  STK_PUSH,
  type TestFacade,
} from './harness.ts'

/** So long Daraja takes for a push, of so many at once, ms: what fits is little. */
const PUSH_MS = 200
const CONCURRENCY = 8

/** So many pushes a second are a fair part of the 40 that fit. */
const FLOWING = 8

/** So many ask at once, each again as soon as it was answered and this has passed, ms. */
const CLIENTS = 4
const BETWEEN_MS = 20

const PAYS = '254712345678'

describe('while more payments are asked for than can be pushed', { timeout: 120_000 }, () => {
  let test: TestFacade
  let relay: DarajaRelay
  let quiet: TestPartner
  const accepted: { id: number; key: string }[] = []
  const refused: Answer[] = []
  const answersToQuiet: Answer[] = []

  beforeAll(async () => {
    relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: async ({ path }) => {
        if (path === PUSH_PATH) await pause(PUSH_MS)
        return undefined
      },
    })
    test = await openFacade({
      config: {
        daraja: { baseUrl: relay.url },
        submit: { concurrency: CONCURRENCY, overloadAfterMs: 500 },
      },
    })
    quiet = await addPartner(test.database, { name: 'Quiet' })
  })
  afterAll(async () => {
    await test.stop()
    await relay.close()
  })

  const request = (apiKey: string, key: string, amount = 150): Promise<Answer> => {
    const headers = [`X-API-KEY: ${apiKey}`, 'Content-Type: application/json', `X-Idempotency-Key: ${key}`]
    return ask(test, `POST ${STK_PUSH}`, headers, paymentBody({ phone: PAYS, amount, reference: key }))
  }

  let keys = 0
  const flood = async (): Promise<void> => {
    const key = `flood-${(keys += 1)}`
    const answer = await request(test.apiKey, key)
    if (answer.status === 200) accepted.push({ id: JSON.parse(answer.body).transaction_id, key })
    else refused.push(answer)
    await pause(BETWEEN_MS)
  }

  /** The flood's clients ask until so many were refused. */
  const floodUntil = async (count: number): Promise<void> => {
    const client = async (): Promise<void> => {
      while (refused.length < count) await flood()
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
  }

  /**
   * Goes on flooding until a fair number were pushed in the last second: where the machine had no time for pushes, one request
   * a second is no little part of what fits.
   */
  const whileItFlows = async (refusedBefore: number): Promise<void> => {
    let target = refusedBefore
    const pushedLately = (): number =>
      relay.callsTo(PUSH_PATH).filter(({ atMs }) => atMs > performance.now() - 1_000).length
    while (pushedLately() < FLOWING) await floodUntil((target += 5))
  }

  it('refuses some with 503, and says when to come again: not all at once', async () => {
    for (const count of [20, 40, 60]) {
      await floodUntil(count)
      await whileItFlows(count)
      answersToQuiet.push(await request(quiet.apiKey, `quiet-${count}`))
    }
    for (const { status, headers, body } of refused) {
      expect([status, JSON.parse(body).status]).toEqual([503, 'error'])
      expect(headers['retry-after']).toMatch(/^[1-9]\d?$/)
    }
    expect(new Set(refused.map(({ headers }) => headers['retry-after'])).size).toBeGreaterThan(1)
  })

  it('refuses nothing to a partner that asks little (law 7)', () => {
    expect(answersToQuiet.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  it('answers who asks with a known key as ever, whatever is refused', async () => {
    const [{ id, key } = { id: 0, key: '' }] = accepted
    for (let time = 0; time < 10; time += 1) {
      await flood()
      expect(JSON.parse((await request(test.apiKey, key)).body)).toMatchObject({
        status: 'duplicate',
        transaction_id: id,
      })
      expect((await request(test.apiKey, key, 151)).status).toBe(422)
    }
  })

  it('refuses over gRPC and Connect as UNAVAILABLE with retry-after', async () => {
    const headers = { 'x-api-key': test.apiKey }
    const error = await eventually(async () => {
      await floodUntil(refused.length + 1)
      const asked = test.clients.payments.requestPayment(paymentRequest(), { headers })
      const error = await asked.then(
        ({ paymentId }) => void accepted.push({ id: Number(paymentId), key: '' }),
        (caught: unknown) => caught,
      )
      expect(error).toBeInstanceOf(ConnectError)
      return error as ConnectError
    })
    expect(error.code).toBe(Code.Unavailable)
    expect(error.metadata.get('retry-after')).toMatch(/^[1-9]\d?$/)
  })

  it('says so once in the log, and not for each that is refused', () => {
    const linesOf = (event: string) => test.logLines.filter((line) => line.includes(`"${event}"`))
    expect(linesOf('overload_began')).toHaveLength(1)
    expect(linesOf('request_unavailable')).toHaveLength(0)
  })

  it('prompts for each that was accepted, once, and none that was refused; and nothing is refused any more', async () => {
    const all = accepted.length + answersToQuiet.length
    await eventually(async () => {
      const rows = await test.database
        .selectFrom('payments')
        .select(['state', (build) => build.fn.countAll<bigint>().as('count')])
        .groupBy('state')
        .execute()
      expect(rows).toEqual([{ state: 'successful', count: BigInt(all) }])
    }, 40_000)
    expect(await countPayments(test)).toBe(all)
    expect(relay.callsTo(PUSH_PATH)).toHaveLength(all)
    expect(await test.database.selectFrom('deliveries').select('id').execute()).toHaveLength(all)
    await eventually(async () => expect((await request(test.apiKey, 'after')).status).toBe(200))
    for (let time = 0; time < 5; time += 1) {
      // A machine that stands still makes these wait too, for a moment.
      await eventually(async () => expect((await request(test.apiKey, `after-${time}`)).status).toBe(200))
    }
  })
})
