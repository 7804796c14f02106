import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { createTokenSource } from '../../../src/core/daraja/token.ts'
import { startReconciling } from '../../../src/core/reconcile/reconcile.ts'
import type { Loop } from '../../../src/runtime/loop.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import {
  type DarajaRelay,
  LATE,
  mostInASecond,
  openDarajaRelay,
  QUERY_PATH,
} from '../../support/daraja-relay.ts'
import { paymentRequest } from '../../support/requests.ts'

/** `OPEN_PAYMENTS=10000 QUERIES_PER_SECOND=100` makes it the full figure. */
const OPEN_PAYMENTS = Number(process.env['OPEN_PAYMENTS'] ?? 200)
const QUERIES_PER_SECOND = Number(process.env['QUERIES_PER_SECOND'] ?? 60)

const PATIENCE_MS = 60_000 + (OPEN_PAYMENTS / QUERIES_PER_SECOND) * 3_000

/** Payers who never call back: the first has paid, the second has not. */
const PAYERS = ['254700000022', '254700000023']

describe('open payments whose callbacks never come', () => {
  let test: TestCore
  let relay: DarajaRelay
  let client: DarajaClient
  let replica: Loop

  beforeAll(async () => {
    relay = await openDarajaRelay({ target: () => test.simulator.url })
    test = await startTestCore({
      config: {
        daraja: { baseUrl: relay.url, queriesPerSecond: QUERIES_PER_SECOND },
        reconcile: { afterMs: 3_600_000 },
      },
    })
    replica = startReplica()
  })
  afterAll(async () => {
    await replica.stop()
    await client.close()
    await test.stop()
    await relay.close()
  })

  /** The loop of a second process, with a connection and a token of its own. */
  const startReplica = (): Loop => {
    const { options } = test
    client = createDarajaClient({ baseUrl: relay.url, timeoutMs: 3_000, connections: 16 })
    const account = options.config.daraja.account
    const tokens = createTokenSource({ send: client.send, account, nowMs: options.nowMs })
    return startReconciling({
      ...options,
      findAccount: () =>
        Promise.resolve({
          daraja: { account, send: client.send, tokens, clock: options.clock },
          uniqueReference: false,
          pull: null,
          test: null,
        }),
      queriesPerSecond: QUERIES_PER_SECOND,
      reconcileAfterMs: 3_600_000,
      timeoutMs: 3_000,
      onSettled: () => undefined,
    })
  }

  const ask = async (): Promise<void> => {
    for (let asked = 0; asked < OPEN_PAYMENTS; asked += 100) {
      await Promise.all(
        Array.from({ length: Math.min(100, OPEN_PAYMENTS - asked) }, (_one, index) =>
          test.clients.payments.requestPayment(paymentRequest({ msisdn: PAYERS[index % 2] ?? '' }), {
            headers: test.headers,
          }),
        ),
      )
    }
  }

  const countOf = async (state: 'submitted' | 'successful' | 'failed'): Promise<number> => {
    const { count } = await test.database
      .selectFrom('payments')
      .select((build) => build.fn.countAll<bigint>().as('count'))
      .where('state', '=', state)
      .executeTakeFirstOrThrow()
    return Number(count)
  }

  const patiently = (check: () => Promise<void>) => vi.waitFor(check, { timeout: PATIENCE_MS, interval: 50 })

  it(
    'are all settled by the query, two replicas together never faster than the setting',
    async () => {
      await ask()
      await patiently(async () => expect(await countOf('submitted')).toBe(OPEN_PAYMENTS))
      expect(relay.callsTo(QUERY_PATH)).toEqual([])
      // All of them at one instant: the worst that can be.
      await sql`UPDATE to_query SET due_at = now()`.execute(test.database)
      await patiently(async () => expect(await countOf('submitted')).toBe(0))
      expect(await countOf('successful')).toBe(OPEN_PAYMENTS / 2)
      expect(await countOf('failed')).toBe(OPEN_PAYMENTS / 2)
      const queries = relay.callsTo(QUERY_PATH)
      expect(queries).toHaveLength(OPEN_PAYMENTS)
      expect(mostInASecond(queries)).toBeLessThanOrEqual(QUERIES_PER_SECOND * LATE)
      expect(await test.database.selectFrom('to_query').selectAll().execute()).toEqual([])
      report()
    },
    PATIENCE_MS * 2,
  )

  const report = (): void => {
    if (process.env['OPEN_PAYMENTS'] === undefined) return
    const times = relay.callsTo(QUERY_PATH).map(({ atMs }) => atMs)
    const seconds = (Math.max(...times) - Math.min(...times)) / 1000
    process.stdout.write(
      `${OPEN_PAYMENTS} open payments settled by ${times.length} queries in ${seconds.toFixed(1)} s; the most in any second: ` +
        `${mostInASecond(relay.callsTo(QUERY_PATH))}, the setting ${QUERIES_PER_SECOND}\n`,
    )
  }
})
