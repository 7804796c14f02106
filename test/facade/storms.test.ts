import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { PESTS } from './storms.ts'

/** How many of each come at once: `STORM_CLIENTS=500` for a storm that is worth the name. */
const CLIENTS = Number(process.env['STORM_CLIENTS'] ?? 30)

/** How much more memory the process may have after a second storm than after the first, MB: the slack of the heap. */
const MEMORY_MB = 64

type Traffic = { statuses: Map<number, number>; latenciesMs: number[] }

describe('while a storm of clients', () => {
  let gateway: TestGateway
  let agent: Agent

  beforeAll(async () => {
    const settings = {
      HTTP_MAX_CONNECTIONS_PER_ADDRESS: '2000',
      HTTP_HEADERS_TIMEOUT_MS: '1000',
      HTTP_REQUEST_TIMEOUT_MS: '2000',
      LOG_LEVEL: 'info',
    }
    gateway = await startTestGateway({ serve: 1, settings })
    agent = new Agent({ connections: 4 })
    await trafficDuring(pause(50))
  })
  afterAll(async () => {
    await agent.close()
    await gateway.close()
  })

  const push = async (traffic: Traffic): Promise<void> => {
    const beganMs = performance.now()
    const answer = await request(`${gateway.httpUrl}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', 'x-api-key': gateway.apiKey },
      body: JSON.stringify({
        phone: '254700000022',
        amount: 150,
        callback_url: `${gateway.world.receiver.url}/callback`,
      }),
    })
    await answer.body.dump()
    traffic.latenciesMs.push(performance.now() - beganMs)
    traffic.statuses.set(answer.statusCode, (traffic.statuses.get(answer.statusCode) ?? 0) + 1)
  }

  /** A partner asks for one payment after the other, on two connections, until `storm` is over. */
  const trafficDuring = async (storm: Promise<unknown>): Promise<Traffic> => {
    const traffic: Traffic = { statuses: new Map(), latenciesMs: [] }
    const over = storm.then(() => 'over')
    const partner = async (): Promise<void> => {
      do await push(traffic)
      while ((await Promise.race([over, pause(5)])) !== 'over')
    }
    await Promise.all([partner(), partner()])
    return traffic
  }

  const memoryMb = async (): Promise<number> => {
    const status = await readFile(`/proc/${gateway.serve[0]?.pid}/status`, 'utf8').catch(() => '')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
  }

  it.each(Object.entries(PESTS))(
    '%s, all of them are cut, others are served, and memory stays flat',
    async (what, { pest, expected }) => {
      const port = Number(new URL(gateway.httpUrl).port)
      const raise = () => Promise.all(Array.from({ length: CLIENTS }, () => pest(port)))
      // The heap grows with the first storm, and must not with any further one.
      await raise()
      const before = await memoryMb()
      const beganMs = performance.now()
      const storm = raise()
      const traffic = await trafficDuring(storm)
      const heard = await storm
      const after = await memoryMb()
      const { statuses, latenciesMs } = traffic
      const sorted = latenciesMs.toSorted((one, other) => one - other)
      process.stdout.write(
        `storm: ${CLIENTS} clients, each ${what}: over after ${Math.round(performance.now() - beganMs)} ms; meanwhile ` +
          `${latenciesMs.length} payments accepted, p50 ${sorted[Math.floor(sorted.length / 2)]?.toFixed(1)} ms, ` +
          `longest ${sorted.at(-1)?.toFixed(1)} ms; memory ${before.toFixed(0)} to ${after.toFixed(0)} MB\n`,
      )
      expect([...statuses.keys()]).toEqual([200])
      for (const answer of heard) expect(answer).toMatch(expected)
      await eventually(async () => {
        // What it served gives it reason to collect its garbage.
        await trafficDuring(pause(50))
        expect((await memoryMb()) - before).toBeLessThan(MEMORY_MB)
      })
    },
  )
})
