import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'

const redis = await findOnPath('redis-server', searchPathOf(process.env))

// Few payments: whether the benchmark still works, not how fast anything is.
it.skipIf(redis === null)(
  'takes payments from request to delivered, by the yardstick and by the gateway',
  async () => {
    const words = '--rounds 1 --count 20 --clients 5 --seconds 0 --payer-ms 1 --is-fresh --json'.split(' ')
    const { stdout } = await promisify(execFile)(process.execPath, ['bench/main.ts', 'whole', ...words])
    const results: unknown = JSON.parse(stdout)
    const figures = expect.objectContaining({ failed: 0, lost: 0, duplicates: 0, promptedAgain: 0 })
    expect(results).toEqual([
      { round: 1, system: 'peer', load: 'closed loop', figures },
      { round: 1, system: 'gateway', load: 'closed loop', figures },
    ])
  },
  60_000,
)
