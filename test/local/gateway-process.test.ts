import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type GuardedProcess, startGatewayProcess } from '../../src/local/child-process.ts'
import { type Supervised, supervise } from '../../src/local/supervise.ts'
import { identify } from '../../src/runtime/process-identity.ts'

const PROGRAM = join(import.meta.dirname, 'programs', 'ready-then.ts')

let lines: string[]
let said: string[]
let stopping: AbortController

beforeEach(() => {
  lines = []
  said = []
  stopping = new AbortController()
})

const start = (what: string): Promise<GuardedProcess> =>
  startGatewayProcess({
    name: 'serve',
    args: [PROGRAM, what],
    environment: { ...process.env, GATEWAY_TEST: 'given' },
    onLine: (line) => lines.push(line),
    signal: stopping.signal,
  })

describe('a process of ours', () => {
  it('is started with its environment, passes its lines on, and ends when asked', async () => {
    const child = await start('wait')
    await child.stop()
    expect(await child.ended).toEqual({ code: 0, signal: null })
    await vi.waitFor(() => expect(lines).toEqual(['environment given', 'ended by SIGTERM']))
    await child.stop()
  })

  it('that ends before it is ready is an error, after all it said has been passed on', async () => {
    await expect(start('fail')).rejects.toThrow('serve ended (exit code 2) before it was ready')
    expect(lines).toEqual(['environment given', 'HTTP_PORT must be a port'])
  })

  it('is ended when the start is called off', async () => {
    const starting = start('wait')
    stopping.abort(new Error('called off'))
    await expect(starting).rejects.toThrow('called off')
  })
})

describe('supervision', () => {
  let supervised: Supervised<GuardedProcess> | null = null
  afterEach(() => supervised?.stop())

  it('starts a process again that ended unasked, says so, and ends the new one', async () => {
    const onRestarted = vi.fn<() => void>()
    supervised = await supervise({
      name: 'serve',
      start: () => start('wait'),
      say: (text) => said.push(text),
      onRestarted,
    })
    const first = supervised.current().pid
    process.kill(first, 'SIGKILL')
    await vi.waitFor(() => expect(onRestarted).toHaveBeenCalledOnce(), { timeout: 20_000 })
    const second = supervised.current().pid
    expect(said).toEqual([
      `serve (process ${first}) ended unasked, by SIGKILL: starting it again`,
      `serve runs again (process ${second})`,
    ])
    await supervised.stop()
    expect(identify(second)).toBeNull()
  })

  it('tries again when a restart fails', async () => {
    const attempts = ['wait', 'fail', 'wait']
    const onRestarted = vi.fn<() => void>()
    supervised = await supervise({
      name: 'serve',
      start: () => start(attempts.shift() ?? 'wait'),
      say: (text) => said.push(text),
      onRestarted,
    })
    process.kill(supervised.current().pid, 'SIGKILL')
    await vi.waitFor(() => expect(onRestarted).toHaveBeenCalledOnce(), { timeout: 20_000 })
    expect(said).toContainEqual(expect.stringContaining('serve does not start: serve ended (exit code 2)'))
  })

  it('can be stopped while the process is starting again', async () => {
    supervised = await supervise({
      name: 'serve',
      start: () => start('wait'),
      say: (text) => said.push(text),
      onRestarted: () => undefined,
    })
    const first = supervised.current()
    process.kill(first.pid, 'SIGKILL')
    await first.ended
    await supervised.stop()
    expect(said).toHaveLength(1)
  })
})
