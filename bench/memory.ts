import { readFile } from 'node:fs/promises'
import { holdSnapshot } from '../test/support/hold-snapshot.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { dutyKilobytes, growDatabase } from './support/grown-database.ts'
import { printTable } from './support/report.ts'
import { startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures } from './support/whole/measure.ts'
import { startBenchPartner } from './support/whole/partner.ts'
import { startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

const PUSHES_AT_ONCE = 64

/** From one address, at most: it has no more at once. */
const CONNECTIONS = 64

const PARTS = 10

/** Room for what the processes keep, and little more: without a limit V8 lets a heap grow that need not. */
const HEAP_MEGABYTES = 160

/**
 * `npm run bench memory`: so many payments in a closed loop through one `serve` and one `dispatch`; printed for each
 * tenth are the memory of both at its end, the CPU of a payment, and how large the tables of duties are, none of which
 * is to grow. With `snapshot` another session holds one all the time: then no dead row can be removed.
 */
export const benchMemory = async (options: {
  payments: number
  clients: number
  snapshot?: true
}): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: 1, say })
  const daraja = await startBenchDaraja({ answerMs: 5, payerMs: 20 })
  const partner = await startBenchPartner()
  const grown = await growDatabase(services, { partners: PARTNERS, payments: 0 })
  const system = await startTheGateway({
    services: grown.services,
    darajaUrl: daraja.url,
    pushesAtOnce: PUSHES_AT_ONCE,
    gatewayEnvironment: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MEGABYTES}` },
  })
  const snapshot = options.snapshot === true ? await holdSnapshot(grown.url) : null
  const rows = []
  try {
    const order = {
      url: system.url,
      apiKeys: system.apiKeys,
      addresses: 1,
      connections: Math.min(CONNECTIONS, options.clients),
      repeatForMs: 0,
      clients: { count: Math.ceil(options.payments / PARTS), atOnce: options.clients },
    }
    for (let part = 1; part <= PARTS; part += 1) {
      const before = await system.cpu()
      const payments = await partner.run({ ...order, prefix: `t${part}x` })
      const after = await system.cpu()
      const { cpuMs, perSecond, failed, lost } = toFigures({
        payments,
        seen: await daraja.take(),
        before,
        after,
      })
      rows.push({
        tenth: part,
        'serve MB': (await residentMegabytes(system.pids.web)).toFixed(0),
        'dispatch MB': (await residentMegabytes(system.pids.worker)).toFixed(0),
        'Postgres ms': cpuMs.postgres.toFixed(2),
        'serve ms': cpuMs.web.toFixed(2),
        'dispatch ms': cpuMs.worker.toFixed(2),
        'duties kB': Math.round(await dutyKilobytes(grown.database)),
        'payments/s': Math.round(perSecond),
        failed: failed + lost,
      })
      say(JSON.stringify(rows.at(-1)))
    }
    printTable(rows)
  } finally {
    await snapshot?.end()
    await system.stop()
    await partner.stop()
    await daraja.stop()
    await grown.database.destroy()
    await services.stop()
  }
}

/** Memory that a process has in use, as Linux counts it; not a number where there is no `/proc`. */
const residentMegabytes = async (pid: number): Promise<number> => {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s*(\d+) kB/.exec(text)?.[1]) / 1024
}
