import { Counter, Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/runtime/metrics.ts'
import {
  type OperationsServer,
  type Readiness,
  startOperationsServer,
} from '../../src/runtime/operations-server.ts'
import { quietLog } from '../support/quiet-log.ts'

let registry: Registry
let readiness: () => Promise<Readiness>
let server: OperationsServer

beforeEach(async () => {
  registry = new Registry()
  readiness = async () => ({ ready: true, parts: { database: 'ok' } })
  server = await start()
})
afterEach(() => server.close())

const start = (port = 0, host = '127.0.0.1') =>
  startOperationsServer({
    host,
    port,
    registry,
    readiness: () => readiness(),
    log: quietLog,
  })

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`${server.url}${path}`, { method })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('the operations port', () => {
  it('says that the process is alive', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, text: '{"alive":true}' })
  })

  it.each(['0.0.0.0', '::'])(
    'that listens at every address, %s, is found at one that can be opened',
    async (host) => {
      await server.close()
      server = await start(0, host)
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      expect(await get('/healthz')).toMatchObject({ status: 200 })
    },
  )

  it('shows no number in a label of a metric, and leaves the values', async () => {
    const counter = new Counter({ name: 'x_total', help: 'x', labelNames: ['who'], registers: [registry] })
    counter.inc({ who: '254712345679' }, 254712345670)
    expect((await get('/metrics')).text).toContain('x_total{who="2547*****679"} 254712345670')
  })

  it('says whether the process can do its work, and names the parts', async () => {
    expect(await get('/readyz?verbose')).toMatchObject({
      status: 200,
      text: '{"ready":true,"database":"ok"}',
    })
    readiness = async () => ({ ready: false, parts: { database: 'away', queue: 'ok' } })
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      text: '{"ready":false,"database":"away","queue":"ok"}',
    })
  })

  it('shows the metrics of the registry it was given', async () => {
    new Counter({ name: 'gateway_things_total', help: 'Things', registers: [registry] }).inc(3)
    const { status, headers, text } = await get('/metrics')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toContain('gateway_things_total 3')
  })

  it('answers HEAD without a body, and refuses other methods and paths', async () => {
    expect(await get('/healthz', 'HEAD')).toMatchObject({ status: 200, text: '' })
    const refused = await get('/healthz', 'POST')
    expect(refused.status).toBe(405)
    expect(refused.headers.get('allow')).toBe('GET, HEAD')
    expect((await get('/')).status).toBe(404)
    expect((await get('//%00/..')).status).toBe(404)
  })

  it('answers 500 when a look fails, and goes on', async () => {
    readiness = () => Promise.reject(new Error('broken'))
    expect(await get('/readyz')).toMatchObject({ status: 500, text: '{"error":"failed, see the log"}' })
    expect((await get('/healthz')).status).toBe(200)
  })

  it('cannot start where another listens', async () => {
    await expect(start(Number(new URL(server.url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('the metrics of a process', () => {
  it('all start with gateway_, and each registry is its own', async () => {
    const [one, other] = [createMetrics(), createMetrics()]
    const things = new Counter({ name: 'gateway_things_total', help: 'Things', registers: [one] })
    things.inc()
    const names = (await one.metrics()).matchAll(/^# TYPE (\S+)/gm)
    expect([...names].every(([, name]) => name?.startsWith('gateway_'))).toBe(true)
    expect(other.getSingleMetric('gateway_things_total')).toBeUndefined()
    expect(await one.metrics()).toContain('gateway_process_cpu_seconds_total')
  })
})
