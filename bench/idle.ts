import { setTimeout as pause } from 'node:timers/promises'
import { startDeliveryServices } from './support/delivery-services.ts'
import { growDatabase } from './support/grown-database.ts'
import { printTable } from './support/report.ts'
import { countBlocks, forgetStatements } from './support/statement-blocks.ts'
import { startBenchDaraja } from './support/whole/daraja.ts'
import { COUNT_STATEMENTS } from './support/whole/profile.ts'
import { startTheGateway } from './support/whole/systems.ts'

/** What processes do at their start is not counted, ms. */
const SETTLING_MS = 5_000

/**
 * `npm run bench idle`: one `serve` and one `dispatch` with nothing to do. Printed is what they cost all the same: CPU
 * a second, and statements a second, by statement.
 */
export const benchIdle = async ({ seconds }: { seconds: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({
    partners: 1,
    say,
    postgresSettings: COUNT_STATEMENTS,
    isFresh: true,
  })
  const daraja = await startBenchDaraja({ answerMs: 5, payerMs: 20 })
  const grown = await growDatabase(services, { partners: 10, payments: 0 })
  const system = await startTheGateway({
    services: grown.services,
    darajaUrl: daraja.url,
    pushesAtOnce: 64,
    gatewayEnvironment: {},
  })
  try {
    await pause(SETTLING_MS)
    await forgetStatements(grown.database)
    const before = await system.cpu()
    const beganMs = performance.now()
    await pause(seconds * 1000)
    const took = (performance.now() - beganMs) / 1000
    const after = await system.cpu()
    const counted = await countBlocks(grown.database)
    const parts = { Postgres: 'postgres', serve: 'web', dispatch: 'worker', NATS: 'broker' } as const
    for (const [name, part] of Object.entries(parts)) {
      const cpuMs = ((after[part] - before[part]) * 1000) / took
      process.stdout.write(`${name}: ${cpuMs.toFixed(1)} ms of CPU a second\n`)
    }
    const calls = counted.reduce((sum, one) => sum + one.calls, 0)
    process.stdout.write(`${(calls / took).toFixed(1)} statements a second\n`)
    printTable(
      counted
        .toSorted((one, other) => other.calls - one.calls)
        .map((one) => ({
          'a second': (one.calls / took).toFixed(2),
          blocks: (one.blocks / one.calls).toFixed(1),
          'ms a second': (one.ms / took).toFixed(2),
          statement: one.statement.slice(0, 120),
        })),
    )
  } finally {
    await system.stop()
    await daraja.stop()
    await grown.database.destroy()
    await services.stop()
  }
}
