import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'nats'
import { type DeliveryServices, startDeliveryServices } from './support/delivery-services.ts'
import {
  awaitOutcomes,
  type Endpoint,
  type Latency,
  type OutcomeSource,
  percentile,
  startOutcomeSource,
} from './support/outcomes.ts'
import { type BenchReceiver, startBenchReceiver } from './support/receiver.ts'
import { printTable } from './support/report.ts'
import { startGateway } from './support/server-process.ts'

const PARTNERS = 50

/** What 95 of 100 must stay below, ms. */
const AIM_MS = 125

type Stage = {
  services: DeliveryServices
  source: OutcomeSource
  receiver: BenchReceiver
  endpoints: Endpoint[]
}

/**
 * `npm run bench latency`: how long it takes from the commit of an outcome to its first byte at the receiver, with one `serve`
 * and one `dispatch` as operators run them, from Daraja's callback on; and what becomes of it when JetStream loses its stream
 * under load. Postgres and NATS are of its own. Every id is looked for at the receiver.
 */
export const benchLatency = async (options: { rates: number[]; seconds: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: PARTNERS, say })
  const receiver = await startBenchReceiver()
  const dispatcher = await startGateway('dispatch', services.environment)
  const source = await startOutcomeSource(services)
  const endpoints = services.partnerIds.map((partnerId) => ({ partnerId, url: `${receiver.url}/callback` }))
  const stage: Stage = { services, source, receiver, endpoints }
  try {
    say(`${options.seconds} s each`)
    await measure(stage, { perSecond: Math.min(...options.rates), seconds: 5 })
    const rows = []
    for (const perSecond of options.rates) rows.push(await measure(stage, { ...options, perSecond }))
    printTable(rows.map(({ row }) => row))
    for (const perSecond of options.rates) await loseStream(stage, { ...options, perSecond })
  } finally {
    await source.stop()
    await dispatcher.stop('SIGTERM')
    await receiver.stop()
    await services.stop()
  }
}

const measure = async (stage: Stage, load: { perSecond: number; seconds: number }) => {
  const ids = await stage.source.pace({ ...load, endpoints: stage.endpoints })
  const told = await awaitOutcomes({ ...stage, database: stage.services.database, ids })
  return {
    ...told,
    row: { 'outcomes/s': load.perSecond, ...figuresOf(told.latencies), ...countsOf(told, ids) },
  }
}

const figuresOf = (latencies: readonly Latency[]) => ({
  'p50 ms': percentile(latencies, 0.5).toFixed(1),
  'p95 ms': percentile(latencies, 0.95).toFixed(1),
  'p99 ms': percentile(latencies, 0.99).toFixed(1),
  'max ms': percentile(latencies, 1).toFixed(1),
  'aim p95 ms': AIM_MS,
})

const countsOf = (told: { lost: number; duplicates: number }, ids: readonly string[]) => ({
  told: ids.length - told.lost,
  lost: told.lost,
  duplicates: told.duplicates,
})

/** Deletes the stream in the middle of a load, and says when outcomes were in time again. */
const loseStream = async (stage: Stage, load: { perSecond: number; seconds: number }): Promise<void> => {
  const measuring = measure(stage, load)
  await pause((load.seconds * 1000) / 2)
  const deletedMs = Date.now()
  await deleteStreams(stage.services.natsUrl)
  const { latencies, row } = await measuring
  const late = latencies.filter(
    ({ committedMs, tookMs }) => committedMs + tookMs > deletedMs && tookMs > AIM_MS,
  )
  const lastLateMs = Math.max(deletedMs, ...late.map(({ committedMs, tookMs }) => committedMs + tookMs))
  printTable([
    { ...row, 'later than aim': late.length, 'in time again after s': seconds(lastLateMs - deletedMs) },
  ])
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)

/** What a broker that loses its store does: the stream and its consumer are gone with all they held. */
const deleteStreams = async (natsUrl: string): Promise<void> => {
  const connection = await connect({ servers: natsUrl })
  const manager = await connection.jetstreamManager()
  for await (const name of manager.streams.names()) await manager.streams.delete(name)
  await connection.close()
}
