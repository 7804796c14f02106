import { Registry } from 'prom-client'
import { afterEach, expect, it, vi } from 'vitest'
import { showReading } from '../../src/runtime/metrics.ts'

afterEach(() => vi.useRealTimers())

const COUNTED = { name: 'gateway_counted', help: 'What is counted' }

it('a reading that takes longer than a scrape waits for it is not begun again by the next one, which gets it', async () => {
  vi.useFakeTimers()
  const registry = new Registry()
  const answers = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  let begun = 0
  const read = (): Promise<number> => answers[begun++]?.promise ?? Promise.reject(new Error('one too many'))
  showReading(registry, read, [
    { ...COUNTED, samples: (value) => [{ value }] },
    { ...COUNTED, name: 'gateway_counted_too', samples: (value) => [{ value }] },
  ])

  const first = registry.metrics()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await first).not.toMatch(/^gateway_counted/m)
  const second = registry.metrics()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(begun).toBe(1)
  answers[0]?.resolve(7)
  expect(await second).toMatch(/^gateway_counted 7$[^]*^gateway_counted_too 7$/m)

  answers[1]?.resolve(8)
  expect(await registry.metrics()).toMatch(/^gateway_counted 8$[^]*^gateway_counted_too 8$/m)
  expect(begun).toBe(2)
  expect(vi.getTimerCount()).toBe(0)
})
