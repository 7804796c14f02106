import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { createLog } from '../../src/runtime/log.ts'
import { createNoteRefused, type RefusedCaller } from '../../src/runtime/refused-callers.ts'

const open = () => {
  const lines: Record<string, unknown>[] = []
  const registry = new Registry()
  let nowMs = 1
  const log = createLog({
    name: 'test',
    level: 'info',
    to: { write: (line) => lines.push(JSON.parse(line)) },
  })
  const note = createNoteRefused({ registry, log, nowMs: () => nowMs })
  const refuse = (reason: RefusedCaller['reason'], times = 1): void => {
    for (let count = 0; count < times; count += 1) note({ reason, method: 'GetPayment', from: '192.0.2.1' })
  }
  return { lines, registry, refuse, pass: (ms: number) => void (nowMs += ms) }
}

it('each refused caller is counted, and a flood has ten lines a minute of each reason', async () => {
  const { lines, registry, refuse, pass } = open()
  refuse('API_KEY_UNKNOWN', 1_000)
  refuse('SCOPE_MISSING')
  expect(lines.filter(({ reason }) => reason === 'api_key_unknown')).toHaveLength(10)
  expect(lines.filter(({ reason }) => reason === 'scope_missing')).toHaveLength(1)
  expect(await registry.metrics()).toContain('gateway_callers_refused_total{reason="api_key_unknown"} 1000')
  pass(60_000)
  refuse('API_KEY_UNKNOWN')
  expect(lines.at(-1)).toMatchObject({
    event: 'caller_refused',
    level: 'info',
    reason: 'api_key_unknown',
    method: 'GetPayment',
    from: '192.0.2.1',
    not_logged: 990,
  })
  refuse('API_KEY_UNKNOWN')
  expect(lines.at(-1)).not.toHaveProperty('not_logged')
})

it('a reason that nobody was refused for is 0, so that its first increase is seen', async () => {
  expect(await open().registry.metrics()).toContain('gateway_callers_refused_total{reason="token_revoked"} 0')
})
