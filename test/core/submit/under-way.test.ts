import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { type DarajaRelay, type OwnAnswer, openDarajaRelay, PUSH_PATH } from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayments } from '../../support/payments.ts'

const CEILING = 16

const SPIKE_ARREST: OwnAnswer = {
  status: 500,
  json: { errorCode: '500.003.02', errorMessage: 'Error Occurred: Spike Arrest Violation' },
}

describe('the pushes that are under way', () => {
  let test: TestCore
  let relay: DarajaRelay
  /** Pushes that Daraja has not answered yet. */
  const waiting: ((answer: OwnAnswer | undefined) => void)[] = []
  let most = 0
  /** From then on Daraja answers at once: each slot that an answer frees is taken by the next push. */
  let isOver = false
  /** It stands, so that every answer takes equally long. */
  let clockMs = 0

  beforeAll(async () => {
    relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: ({ path }) => {
        if (isOver || path !== PUSH_PATH) return undefined
        const { promise, resolve } = Promise.withResolvers<OwnAnswer | undefined>()
        waiting.push(resolve)
        most = Math.max(most, waiting.length)
        return promise
      },
    })
    test = await startTestCore({
      config: { daraja: { baseUrl: relay.url, timeoutMs: 60_000 }, submit: { concurrency: CEILING } },
      nowMs: () => clockMs,
    })
  })
  afterAll(async () => {
    isOver = true
    for (const answer of waiting) answer(undefined)
    await test.stop()
    await relay.close()
  })

  const underWay = async (count: number): Promise<void> => {
    await eventually(async () => {
      const { submitting } = await test.database
        .selectFrom('payments')
        .select((query) => query.fn.countAll<bigint>().as('submitting'))
        .where('state', '=', 'submitting')
        .executeTakeFirstOrThrow()
      expect([Number(submitting), waiting.length]).toEqual([count, count])
    })
  }
  const answerAll = (answer?: OwnAnswer): void => {
    for (const resolve of waiting.splice(0)) resolve(answer)
  }

  it('become more while Daraja answers well, up to the ceiling, and half as many once it turns them away', async () => {
    await acceptPayments(test.database, 400)
    for (let width = CEILING / 4; width < CEILING; width += 1) {
      await underWay(width)
      answerAll()
    }
    for (let round = 0; round < 4; round += 1) {
      await underWay(CEILING)
      answerAll()
    }
    await underWay(CEILING)
    expect(most).toBe(CEILING)
    answerAll(SPIKE_ARREST)
    await underWay(0)
    await sql`UPDATE daraja_accounts SET held_until = now()`.execute(test.database)
    clockMs += 60_000
    await underWay(CEILING / 2)
    answerAll()
    await underWay(CEILING / 2 + 1)
    expect(most).toBe(CEILING)
  })
})
