import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'

const redis = await findOnPath('redis-server', searchPathOf(process.env))

const bench = async (line: string): Promise<string> =>
  (await promisify(execFile)(process.execPath, ['bench/main.ts', ...line.split(' ')])).stdout

// Few payments: whether the benchmarks still work, not how fast anything is.
describe.skipIf(redis === null)('the benchmarks of whole payments', { timeout: 120_000 }, () => {
  it('take payments from request to delivered, by the yardstick and by the gateway', async () => {
    const results: unknown = JSON.parse(
      await bench('whole --rounds 1 --count 20 --clients 5 --seconds 0 --payer-ms 1 --is-fresh --json'),
    )
    const figures = expect.objectContaining({ failed: 0, lost: 0, duplicates: 0, promptedAgain: 0 })
    expect(results).toEqual([
      { round: 1, system: 'peer', load: 'closed loop', figures },
      { round: 1, system: 'gateway', load: 'closed loop', figures },
    ])
  })

  it('offer more payments than fit', async () => {
    const text = await bench('overload --times 2 --seconds 1 --after 1 --fits 20 --payer-ms 1 --is-fresh')
    expect(text).toMatch(/taken and failed .* prompted again .*of the peak\n/)
    expect(text.trim().split('\n')).toHaveLength(2)
  })
})
