import { setTimeout as pause } from 'node:timers/promises'
import { cpuSeconds } from './support/cpu-time.ts'
import { type DeliveryServices, startDeliveryServices } from './support/delivery-services.ts'
import { BODY, countOpen, fillOutbox, publishOutbox } from './support/outbox.ts'
import { type Arrival, type BenchReceiver, startBenchReceiver, verify } from './support/receiver.ts'
import { median, printTable } from './support/report.ts'
import { type BenchServer, startBenchServer, startGateway } from './support/server-process.ts'

/** Attempts under way at once, and loops of the yardstick: what `DELIVERY_CONCURRENCY` is when nobody sets it. */
const CONCURRENCY = 256

/** So many that none of them has more than its share of the attempts. */
const PARTNERS = 50

/** What must be left of a turn when all is published, as a part of it: only that is counted. */
const LEAST_COUNTED = 1 / 4

type Stage = { services: DeliveryServices; receiver: BenchReceiver; dispatcher: BenchServer }

type Turn = {
  perSecond: number
  lost: number
  duplicates: number
  /** CPU of a delivery, ms, by what uses it; null where the system does not say. */
  ownMs: number | null
  receiverMs: number | null
  postgresMs: number | null
  natsMs: number | null
}

/**
 * `npm run bench deliver`: deliveries a second of one dispatcher, each claimed and recorded durably, beside a bare loop of
 * POSTs with undici, to the same receiver and with as many under way. Each turn's deliveries come into the outbox at
 * once and are published as `serve` does; what is made from then on is counted. Postgres and NATS are of its own. Every id is looked for at the receiver.
 */
export const benchDeliver = async (options: { rounds: number; count: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: PARTNERS, say })
  const receiver = await startBenchReceiver()
  const loop = await startBenchServer('post-loop', {}, [receiver.url, String(CONCURRENCY), BODY])
  const dispatcher = await startGateway('dispatch', {
    ...services.environment,
    DELIVERY_CONCURRENCY: String(CONCURRENCY),
  })
  try {
    say(`${options.rounds} rounds of ${options.count} deliveries, ${CONCURRENCY} at once`)
    const rounds: { bare: Turn; dispatcher: Turn }[] = []
    // The first round warms the processes and the page cache, and is not counted.
    for (let round = 0; round <= options.rounds; round += 1) {
      const turn = { receiver, count: options.count, prefix: String(round) }
      const one = {
        bare: await bareTurn({ ...turn, loop }),
        dispatcher: await dispatcherTurn({ ...turn, services, dispatcher }),
      }
      if (round > 0) rounds.push(one)
    }
    report(rounds)
  } finally {
    await loop.stop()
    await dispatcher.stop('SIGTERM')
    await receiver.stop()
    await services.stop()
  }
}

const bareTurn = async (options: {
  receiver: BenchReceiver
  loop: BenchServer
  count: number
  prefix: string
}): Promise<Turn> => {
  const { receiver, loop, count, prefix } = options
  const readCpu = async () => ({ own: await cpuSeconds(loop.pid), receiver: await cpuSeconds(receiver.pid) })
  const before = await readCpu()
  const answer = JSON.parse(await loop.ask(JSON.stringify({ count, prefix })))
  const after = await readCpu()
  const arrivals = await receiver.take()
  return {
    perSecond: count / Number(answer.seconds),
    ...verify(
      arrivals,
      idsOf(count, (number) => `${prefix}_${number}`),
    ),
    ownMs: msEach(before.own, after.own, count),
    receiverMs: msEach(before.receiver, after.receiver, count),
    postgresMs: null,
    natsMs: null,
  }
}

const dispatcherTurn = async (options: Stage & { count: number; prefix: string }): Promise<Turn> => {
  const { services, receiver, dispatcher, count, prefix } = options
  const readCpu = async () => ({
    ...(await services.cpu()),
    own: await cpuSeconds(dispatcher.pid),
    receiver: await cpuSeconds(receiver.pid),
  })
  await fillOutbox(services, { count, prefix, url: `${receiver.url}/callback` })
  await publishOutbox(services)
  const countedFromMs = performance.timeOrigin + performance.now()
  const [came, before] = [await receiver.count(), await readCpu()]
  if (count - came < count * LEAST_COUNTED) throw new Error('--count is too small for this machine')
  while ((await receiver.count()) < count) await pause(20)
  while ((await countOpen(services.database)) > 0) await pause(20)
  const after = await readCpu()
  const arrivals = await receiver.take()
  return {
    perSecond: rateFrom(countedFromMs, arrivals),
    ...verify(
      arrivals,
      idsOf(count, (number) => `msg_${prefix}_${number}`),
    ),
    ownMs: msEach(before.own, after.own, count - came),
    receiverMs: msEach(before.receiver, after.receiver, count - came),
    postgresMs: msEach(before.postgres, after.postgres, count - came),
    natsMs: msEach(before.nats, after.nats, count - came),
  }
}

const idsOf = (count: number, toId: (number: number) => string): string[] =>
  Array.from({ length: count }, (_one, index) => toId(index + 1))

const msEach = (before: number | null, after: number | null, count: number): number | null =>
  before === null || after === null ? null : ((after - before) * 1000) / count

/** Arrivals a second from a moment on, until the last. */
const rateFrom = (fromMs: number, arrivals: ReadonlyMap<string, Arrival>): number => {
  const times = [...arrivals.values()].map(({ atMs }) => atMs).filter((atMs) => atMs >= fromMs)
  return times.length / ((times.reduce((one, other) => Math.max(one, other), fromMs) - fromMs) / 1000)
}

const report = (rounds: readonly { bare: Turn; dispatcher: Turn }[]): void => {
  printTable([
    { what: 'bare loop', ...figuresOf(rounds.map(({ bare }) => bare)) },
    { what: 'dispatcher', ...figuresOf(rounds.map(({ dispatcher }) => dispatcher)) },
  ])
  const ratios = rounds.map(({ bare, dispatcher }) => dispatcher.perSecond / bare.perSecond)
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
  process.stdout.write(`dispatcher / bare loop: ${median(ratios).toFixed(2)} (${all}), aim 0.35\n`)
}

const figuresOf = (turns: readonly Turn[]) => ({
  'a second': Math.round(median(turns.map(({ perSecond }) => perSecond))),
  'own CPU ms': cpuText(turns.map(({ ownMs }) => ownMs)),
  'receiver CPU ms': cpuText(turns.map(({ receiverMs }) => receiverMs)),
  'Postgres CPU ms': cpuText(turns.map(({ postgresMs }) => postgresMs)),
  'NATS CPU ms': cpuText(turns.map(({ natsMs }) => natsMs)),
  lost: turns.reduce((sum, { lost }) => sum + lost, 0),
  duplicates: turns.reduce((sum, { duplicates }) => sum + duplicates, 0),
})

const cpuText = (values: readonly (number | null)[]): string => {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? '' : median(known).toFixed(3)
}
