import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { openTestFolder, type TestFolder } from '../support/folder.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { gatewaySettings } from '../support/settings.ts'

let testDatabase: OpenDatabase
let folder: TestFolder
let console: GatewayProcess

beforeAll(async () => {
  testDatabase = await openTestDatabase()
  folder = await openTestFolder()
  const places = {
    databaseUrl: testDatabase.url,
    darajaUrl: 'http://127.0.0.1:1',
    publicUrl: 'http://gateway',
  }
  const settings = gatewaySettings({ ...places, spoolFolder: folder.path })
  console = await startGatewayProcess('console', { ...settings, CONSOLE_PORT: '0' })
})
afterAll(async () => {
  await console?.end('SIGKILL')
  await folder?.close()
  await testDatabase?.close()
})

const signIn = (): Promise<Response> =>
  fetch(`${console.ready['console_url']}/sign-in`, {
    method: 'POST',
    headers: { origin: console.ready['console_url'] ?? '' },
    body: new URLSearchParams({ name: 'nobody', password: 'a wrong one' }),
    redirect: 'manual',
  })

const metrics = async (): Promise<string> => (await fetch(`${console.ready['ops_url']}/metrics`)).text()

describe('gateway console', () => {
  it('has a port for operators’ programs apart from that of its pages, and says both', async () => {
    expect(console.ready).toEqual({
      ready: true,
      process: 'console',
      console_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      ops_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    })
    expect(console.ready['ops_url']).not.toBe(console.ready['console_url'])
    const ready = await fetch(`${console.ready['ops_url']}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, database: 'ok' }])
  })

  it('counts sign-ins there, beside what every process shows of itself', async () => {
    expect((await signIn()).status).toBe(401)
    const shown = await metrics()
    expect(shown).toContain('gateway_console_sign_ins_total{outcome="wrong"} 1')
    expect(shown).toContain('gateway_console_sign_ins_total{outcome="right"} 0')
    expect(shown).toContain('gateway_console_sign_ins_total{outcome="held_off"} 0')
    expect(shown).toContain('gateway_database_up 1')
    expect(shown).toMatch(/^gateway_process_cpu_seconds_total \d/m)
    expect(shown).toContain('# TYPE gateway_log_errors_total counter')
  })

  it('shows no metric at the port of its pages', async () => {
    const answer = await fetch(`${console.ready['console_url']}/metrics`, { redirect: 'manual' })
    expect(answer.status).toBe(303)
    expect(await answer.text()).not.toContain('gateway_')
  })

  it('ends both ports cleanly', async () => {
    expect(await console.end('SIGTERM')).toBe(0)
    for (const url of [console.ready['console_url'], console.ready['ops_url']])
      await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  })
})
