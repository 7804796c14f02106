import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { type Running, readRunning } from '../../src/local/running.ts'
import { gone } from './held-server.ts'
import { gatewayCommand, type StartedGateway, startGateway } from './started-gateway.ts'

const PATIENCE = { timeout: 60_000, interval: 50 }

let dataDir: string
let gateway: StartedGateway | null
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'start-'))
  gateway = null
})
afterEach(async () => {
  gateway?.child.kill('SIGTERM')
  await gateway?.ended
  await rm(dataDir, { recursive: true, force: true })
})

const start = (): StartedGateway => {
  gateway = startGateway(dataDir)
  return gateway
}

const requestPayment = async (running: Running, callbackUrl = running.receiver_url): Promise<unknown> => {
  const response = await fetch(`${running.http_url}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-api-key': running.api_key,
      'x-idempotency-key': 'same in every run',
    },
    body: JSON.stringify({ phone: '254712345678', amount: 150, callback_url: callbackUrl }),
  })
  return response.json()
}

const receivedBodies = async (running: Running): Promise<unknown[]> => {
  const answer = await fetch(`${running.receiver_url}/_received`)
  const received = z.array(z.object({ body: z.string() })).parse(await answer.json())
  return received.map(({ body }) => JSON.parse(body))
}

describe('npm start', { timeout: 120_000 }, () => {
  it('takes a payment and shows its callback; ends clean on Ctrl-C; keeps key and data for the next start', async () => {
    const first = start()
    const running = await first.ready
    expect(running).toEqual(await readRunning(dataDir))
    expect(Object.keys(running.pids).toSorted()).toEqual([
      'console',
      'dispatch',
      'nats',
      'postgres',
      'serve',
      'simulator',
      'start',
    ])
    expect(await requestPayment(running)).toMatchObject({ status: 'success', transaction_id: 1 })
    await vi.waitFor(
      async () =>
        expect(await receivedBodies(running)).toMatchObject([{ status: 'successful', amount: 150 }]),
      PATIENCE,
    )

    const listed = await gatewayCommand(dataDir, ['partners', 'list', '--json'])
    expect(JSON.parse(listed.stdout.join(''))).toMatchObject([{ name: 'Demo' }])

    first.child.kill('SIGINT')
    const { code, stdout } = await first.ended
    expect({ code, lines: stdout.length }).toEqual({ code: 0, lines: 1 })
    for (const pid of Object.values(running.pids)) await gone(pid)
    expect(await readRunning(dataDir)).toBeNull()

    const again = await start().ready
    expect(again.api_key).toBe(running.api_key)
    // The same request: the receiver may have another port now.
    expect(await requestPayment(again, running.receiver_url)).toMatchObject({
      status: 'duplicate',
      transaction_id: 1,
    })
  })

  it('refuses a second start with the same DATA_DIR, and starts again what is killed', async () => {
    const running = await start().ready
    const second = await startGateway(dataDir).ended
    expect(second).toMatchObject({ code: 1, stdout: [] })
    expect(second.stderr).toBe(
      `npm start runs already with DATA_DIR ${dataDir}, as process ${running.pids['start']}. ` +
        'End that one first, or name another DATA_DIR.\n',
    )

    for (const name of ['postgres', 'nats', 'serve']) process.kill(running.pids[name] ?? 0, 'SIGKILL')
    await vi.waitFor(async () => {
      const now = await readRunning(dataDir)
      const changed = Object.keys(running.pids).filter((name) => now?.pids[name] !== running.pids[name])
      expect(changed.toSorted()).toEqual(['nats', 'postgres', 'serve'])
    }, PATIENCE)
    await vi.waitFor(
      async () =>
        expect(await requestPayment(running)).toMatchObject({
          status: expect.stringMatching(/success|duplicate/),
        }),
      PATIENCE,
    )
  })

  it('ends clean when its terminal is closed', async () => {
    const { child, ready, ended } = start()
    const { pids } = await ready
    child.stdout?.destroy()
    child.stderr?.destroy()
    child.kill('SIGHUP')
    expect(await ended).toMatchObject({ code: 0 })
    for (const pid of Object.values(pids)) await gone(pid)
    expect(await readRunning(dataDir)).toBeNull()
  })

  it('ends clean when it is asked to during its start', async () => {
    const { child, ended } = start()
    const pidFile = join(dataDir, 'postgres', 'cluster', 'postmaster.pid')
    const pid = await vi.waitFor(async () => Number.parseInt(await readFile(pidFile, 'utf8'), 10), PATIENCE)
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0, stdout: [] })
    await gone(pid)
    expect(await readRunning(dataDir)).toBeNull()
  })
})
