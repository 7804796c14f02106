import { describe, expect, it } from 'vitest'
import { compareAfterLoss } from './after-loss.ts'
import { type FailedOver, playFailOver } from './fail-over.ts'
import { compareLedgers } from './ledgers.ts'

// FAILOVER_SECONDS=60 makes it the long run, whose ledgers are printed.
const LONG_SECONDS = Number(process.env['FAILOVER_SECONDS'] ?? '0')
const SECONDS = LONG_SECONDS || 5
const SEED = Number(process.env['SEED'] ?? '1')

const print = (how: string, after: FailedOver, ledgers: Record<string, unknown>): void => {
  if (LONG_SECONDS === 0) return
  const times = `promoted ${after.promotedInMs} ms after the kill, the next payment answered after ${after.answeredInMs} ms, all finished in ${after.finishedInMs} ms`
  process.stdout.write(
    `${how} fail-over in the middle of ${SECONDS} s, ${times}: ${JSON.stringify(ledgers)}\n`,
  )
}

/** Whether the words of `serve`, "above 12 up to 345", are true of an id. */
const includes = (missing: string, id: number): boolean => {
  const [above = 0, upTo = 0] = (missing.match(/\d+/g) ?? []).map(Number)
  return above < id && id <= upTo
}

describe('a primary that is killed under load, and a standby that takes over at the same address', () => {
  it(
    'synchronous: nothing that was answered is lost, nobody is prompted twice, all is delivered, by the same processes',
    async () => {
      await playFailOver({ seed: SEED, seconds: SECONDS, isSynchronous: true }, async (after) => {
        const { problems, ...ledgers } = await compareLedgers({ ...after.stage, database: after.database })
        print('synchronous', after, ledgers)
        expect([...problems, ...after.ended]).toEqual([])
        expect(ledgers).toMatchObject({ lost: 0, promptedTwice: 0 })
        expect(ledgers.delivered).toBeGreaterThan(0)
        expect(after.stage.logged('database_older')).toEqual([])
      })
    },
    SECONDS * 1000 + 240_000,
  )

  it(
    'asynchronous: what was lost is named, no number of it is given out again, and nobody is told what became of another',
    async () => {
      await playFailOver({ seed: SEED, seconds: SECONDS, isSynchronous: false }, async (after) => {
        const { problems, lost, ...ledgers } = await compareAfterLoss({
          ...after.stage,
          database: after.database,
        })
        const ids = lost.map(({ id }) => id)
        print('asynchronous', after, { ...ledgers, lost: lost.map(({ key, id }) => `${id} ${key}`) })
        expect([...problems, ...after.ended]).toEqual([])
        expect(ids.length).toBeGreaterThan(0)
        const named = after.stage.logged('database_older').map((line) => String(line['payments_missing']))
        print('asynchronous', after, { payments_missing: named })
        expect(named.map((one) => includes(one, Math.max(...ids)))).toContain(true)
      })
    },
    SECONDS * 1000 + 240_000,
  )
})
