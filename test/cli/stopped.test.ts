import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startGatewayProcess } from '../support/gateway-process.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.close())

const events = (log: string) =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const STOPPED = { event: 'stopped', level: 'info', took_ms: expect.any(Number) }

describe('the last line of the log', () => {
  it.each(['serve', 'dispatch'] as const)(
    'of %s says that it has stopped, and how long that took',
    async (name) => {
      const process = await gateway.start(name)
      expect(await process.end('SIGTERM')).toBe(0)
      const lines = events(process.log())
      expect(lines.at(-1)).toMatchObject({ name, ...STOPPED })
      expect(lines.at(-2)).toMatchObject({ event: 'stopping', reason: 'SIGTERM' })
    },
  )

  it('of the simulator does', async () => {
    const process = await startGatewayProcess('simulator', { SIMULATOR_PORT: '0' })
    expect(await process.end('SIGTERM')).toBe(0)
    expect(events(process.log()).at(-1)).toMatchObject({ name: 'simulator', ...STOPPED })
  })

  it.each(['serve', 'dispatch', 'console'] as const)(
    'of a %s that still waits for Postgres does, and at once',
    async (name) => {
      const process = gateway.begin(name, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
      await eventually(() => expect(process.log()).toContain('database_awaited'))
      expect(await process.end('SIGTERM')).toBe(0)
      expect(events(process.log()).at(-1)).toMatchObject({ name, ...STOPPED })
    },
  )
})
