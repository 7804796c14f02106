import { readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { freePort } from '../support/ports.ts'
import { type CallbackSent, type OutageStage, openOutageStage } from './outage.ts'

// OUTAGE_SECONDS=60 makes it the long run, whose figures are printed and whose answers must all come within a second.
const LONG_SECONDS = Number(process.env['OUTAGE_SECONDS'] ?? '0')
const OUTAGE_MS = (LONG_SECONDS || 4) * 1000
const PER_SECOND = 50
const PAYMENTS = 40
const ANSWER_WITHIN_MS = LONG_SECONDS > 0 ? 1_000 : 10_000

let stage: OutageStage
let payments: bigint[]
let sentCount = 0
const sent: CallbackSent[] = []

beforeAll(async () => {
  stage = await openOutageStage()
  const asked = Array.from({ length: PAYMENTS }, (_one, index) => stage.pay(serveAt(index)))
  const answers = await Promise.all(asked)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  payments = answers.map(({ id }) => id)
}, 120_000)
afterAll(() => stage.stop(), 60_000)

const serveAt = (index: number): GatewayProcess => {
  const one = stage.serve[index % stage.serve.length]
  if (!one) throw new Error('no process serves')
  return one
}

/** Sends callbacks, `PER_SECOND` of them, to the processes in turn until `until` resolves; then waits for the answers. */
const callBackUntil = async (until: Promise<unknown>): Promise<void> => {
  let isOver = false
  void until.finally(() => {
    isOver = true
  })
  const answers: Promise<void>[] = []
  for (let next = performance.now(); !isOver; next += 1000 / PER_SECOND) {
    await pause(Math.max(0, next - performance.now()))
    const number = sentCount++
    const paymentId = payments[number % PAYMENTS] ?? 0n
    answers.push(stage.callBack(serveAt(number), paymentId, number).then((one) => void sent.push(one)))
  }
  await Promise.all(answers)
}

/** How often each callback is in Postgres, by its ResultDesc. */
const countStored = async (): Promise<Map<string, number>> => {
  const rows = await stage.database.selectFrom('callbacks').select('body').execute()
  const ids = rows.map(({ body }) => JSON.parse(body.toString()).Body.stkCallback.ResultDesc)
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

const print = (what: string): void => {
  if (LONG_SECONDS === 0) return
  const times = sent.filter(({ status }) => status === 200).map(({ tookMs }) => tookMs)
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(1)
  process.stdout.write(
    `${what}: ${sent.length} callbacks, ${times.length} answered 200; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms\n`,
  )
}

/** Every callback that was answered is in Postgres once, its payment settled and delivered once, and the spool empty. */
const expectNothingLost = async (): Promise<void> => {
  const answered = sent.filter(({ status }) => status === 200).map((one) => one.resultDesc)
  await eventually(async () => {
    const stored = await countStored()
    expect(answered.filter((id) => stored.get(id) !== 1)).toEqual([])
    expect([...stored.values()].filter((count) => count !== 1)).toEqual([])
    // Beside callbacks a serve keeps its mark there.
    const left = await readdir(stage.spoolFolder)
    expect(left.filter((name) => !name.endsWith('.mark'))).toEqual([])
  })
  await eventually(async () => {
    const delivered = await stage.database.selectFrom('deliveries').select('payment_id').execute()
    const ids = delivered.map(({ payment_id }) => payment_id)
    expect([ids.length, new Set(ids)]).toEqual([PAYMENTS, new Set(payments)])
  })
}

describe('raw first, while Postgres is away', () => {
  it(
    'every callback is answered 200 and in Postgres once it is back; payments are answered 503',
    async () => {
      const outage = async (): Promise<void> => {
        await eventually(() => expect(sent.length).toBeGreaterThan(PER_SECOND))
        await stage.postgres.end('stop')
        await eventually(async () => {
          const { status, retryAfter } = await stage.pay(serveAt(0))
          expect([status, retryAfter]).toEqual([503, '1'])
        })
        await pause(OUTAGE_MS)
        await stage.postgres.start()
      }
      await callBackUntil(outage())
      print(`Postgres stopped for ${OUTAGE_MS / 1000} s`)
      expect(sent.filter(({ status }) => status !== 200)).toEqual([])
      expect(sent.filter(({ tookMs }) => tookMs > ANSWER_WITHIN_MS)).toEqual([])
      expect(sent.length).toBeGreaterThan((OUTAGE_MS / 1000) * PER_SECOND * 0.5)
      await expectNothingLost()
      if (LONG_SECONDS > 0) process.stdout.write(`${(await countStored()).size} in Postgres, each once\n`)
    },
    OUTAGE_MS + 90_000,
  )

  it('what a process that was killed had acknowledged is replayed by one that lives', async () => {
    const victim = serveAt(0)
    const outage = async (): Promise<void> => {
      await stage.postgres.end('stop')
      const before = sentCount
      await eventually(() => expect(sentCount).toBeGreaterThan(before + PER_SECOND))
      await victim.end('SIGKILL')
      stage.serve.splice(0, 1)
      await eventually(() => expect(sentCount).toBeGreaterThan(before + 2 * PER_SECOND))
      await stage.postgres.start()
    }
    await callBackUntil(outage())
    // Those that were under way at its death were not answered, and may be there or not.
    expect(sent.filter(({ status }) => status !== 200 && status !== 0)).toEqual([])
    await expectNothingLost()
  }, 90_000)

  it('a Postgres that hangs is as good as one that is gone', async () => {
    const hang = async (): Promise<void> => {
      await stage.postgres.signal('SIGSTOP')
      try {
        const before = sentCount
        await eventually(() => expect(sentCount).toBeGreaterThan(before + 2 * PER_SECOND))
      } finally {
        await stage.postgres.signal('SIGCONT')
      }
    }
    await callBackUntil(hang())
    expect(sent.slice(-2 * PER_SECOND).filter(({ status }) => status !== 200)).toEqual([])
    await expectNothingLost()
  }, 90_000)

  it('a process that starts meanwhile takes callbacks before it can do anything else', async () => {
    await stage.postgres.end('stop')
    const httpPort = await freePort()
    const starting = { ready: { http_url: `http://127.0.0.1:${httpPort}` } }
    const ready = stage.startServe(httpPort)
    const callBack = async (): Promise<void> => {
      const number = sentCount++
      const one = await stage.callBack(starting, payments[number % PAYMENTS] ?? 0n, number)
      sent.push(one)
      expect(one.status).toBe(200)
    }
    await eventually(callBack)
    for (let count = 0; count < PER_SECOND; count += 1) await callBack()
    expect(await stage.pay(starting)).toMatchObject({ status: 503, retryAfter: '1' })
    await stage.postgres.start()
    await ready
    expect((await stage.pay(starting)).status).toBe(200)
    await expectNothingLost()
  }, 90_000)
})
