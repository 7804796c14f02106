import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { sql } from 'kysely'
import { beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { quietLog } from '../support/core.ts'
import { createTestDatabase } from '../support/database.ts'
import { type ChainResult, runChain } from './crash-chain.ts'
import { type CrashPoint, findCrashPoints } from './crash-points.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** What an operator types, in a process that dies at a crash point where one is given. */
const settleByHand = (databaseUrl: string, crashAt = '') =>
  spawnSync(
    process.execPath,
    [join(ROOT, 'src/cli/main.ts'), 'payments', 'settle', '1', '--outcome', 'failed', '--reason', 'a test'],
    { env: { DATABASE_URL: databaseUrl, CRASH_AT: crashAt } },
  )

const POINTS = await findCrashPoints(ROOT)

/** The points of `serve` in two deployments side by side, those of `dispatch` in a third. */
const chainsOf = (points: readonly CrashPoint[]): [CrashPoint[], CrashPoint[], CrashPoint[]] => {
  const ofServe = points.filter(({ command }) => command === 'serve')
  return [
    ofServe.filter((_point, index) => index % 4 < 2),
    ofServe.filter((_point, index) => index % 4 >= 2),
    points.filter(({ command }) => command === 'dispatch'),
  ]
}

describe('a process that is killed at a crash point', () => {
  let chains: ChainResult[] = []

  beforeAll(async () => {
    const [first, second, third] = chainsOf(POINTS)
    chains = await Promise.all([
      runChain('serve', first),
      runChain('serve', second),
      runChain('dispatch', third),
    ])
  }, 540_000)

  it.each(POINTS.filter(({ command }) => command !== 'operator').map(({ name }) => [name]))(
    '%s: its payments are all there, and settled or honestly unconfirmed',
    (name) => {
      const result = chains.flatMap(({ points }) => points).find(({ point }) => point === name)
      expect(result).toMatchObject({ endedBy: 'SIGKILL', unanswered: 0 })
      expect(result?.states).toHaveLength(result?.asked ?? 0)
      for (const state of result?.states ?? []) expect(state).toMatch(/^(?:successful|failed|unconfirmed)$/)
    },
  )

  it.each(POINTS.filter(({ command }) => command === 'operator').map(({ name }) => [name]))(
    '%s: the operator’s word is kept whole or not at all, and may be repeated',
    async (name) => {
      const { url, drop } = await createTestDatabase()
      const database = connectDatabase({ databaseUrl: url, poolSize: 1, log: quietLog })
      try {
        await sql`
          INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, submit_by)
          VALUES (1, 1, '254712345678', 150, 'https://shop.co.ke/told', 'unconfirmed', now())
        `.execute(database)
        expect(settleByHand(url, name).signal).toBe('SIGKILL')
        settleByHand(url)
        const payment = await database.selectFrom('payments').select('state').executeTakeFirst()
        const deliveries = await database.selectFrom('deliveries').select('webhook_id').execute()
        expect([payment, deliveries]).toEqual([{ state: 'failed' }, [{ webhook_id: 'msg_1_failed' }]])
      } finally {
        await database.destroy()
        await drop()
      }
    },
  )

  it('breaks no law: what was answered is there, prompted once, told once it is known, always in the same words', () => {
    expect(chains.flatMap(({ comparison }) => comparison.problems)).toEqual([])
    for (const { comparison } of chains) expect(comparison).toMatchObject({ lost: 0, promptedTwice: 0 })
  })
})
