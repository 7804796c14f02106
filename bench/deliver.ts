import { setTimeout as pause } from 'node:timers/promises'
import { ensureDatabase } from '../src/local/postgres.ts'
import type { Order } from './peers/deliver/task.ts'
import { cpuSeconds } from './support/cpu-time.ts'
import { type DeliveryServices, startDeliveryServices } from './support/delivery-services.ts'
import { BODY, countOpen, fillOutbox, publishOutbox } from './support/outbox.ts'
import { type Arrival, type BenchReceiver, startBenchReceiver, verify } from './support/receiver.ts'
import { median, printTable } from './support/report.ts'
import { type BenchServer, startBenchServer, startGateway, startPeer } from './support/server-process.ts'

/** Attempts under way at once, and loops of the yardstick: what `DELIVERY_CONCURRENCY` is when nobody sets it. */
const CONCURRENCY = 256

/** So many that none of them has more than its share of the attempts. */
const PARTNERS = 50

/** Queues on Postgres whose workers make the same POSTs, and record each. */
const PEERS = ['graphile-worker', 'pg-boss'] as const

type PeerName = (typeof PEERS)[number]

/** What must be left of a turn when all is published, as a part of it: only that is counted. */
const LEAST_COUNTED = 1 / 4

type Stage = { services: DeliveryServices; receiver: BenchReceiver; dispatcher: BenchServer }

type Round = Record<'bare' | 'dispatcher' | PeerName, Turn>

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
 * POSTs with undici and beside workers of graphile-worker and pg-boss, to the same receiver and with as many under way. Each turn's
 * deliveries come into the outbox, or the queue, at once; the outbox is published as `serve` does; what is made from then on
 * is counted. Postgres and NATS are of its own. Every id is looked for at the receiver.
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
  const peers = {
    'graphile-worker': await openPeer('graphile-worker', services),
    'pg-boss': await openPeer('pg-boss', services),
  }
  try {
    say(`${options.rounds} rounds of ${options.count} deliveries, ${CONCURRENCY} at once`)
    const rounds: Round[] = []
    // The first round warms the processes and the page cache, and is not counted.
    for (let round = 0; round <= options.rounds; round += 1) {
      const turn = { receiver, services, count: options.count, prefix: String(round) }
      const one: Round = {
        bare: await bareTurn({ ...turn, loop }),
        'graphile-worker': await peerTurn({ ...turn, peer: peers['graphile-worker'] }),
        'pg-boss': await peerTurn({ ...turn, peer: peers['pg-boss'] }),
        dispatcher: await dispatcherTurn({ ...turn, dispatcher }),
      }
      if (round > 0) rounds.push(one)
    }
    report(rounds)
  } finally {
    await loop.stop()
    for (const name of PEERS) await peers[name].stop()
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

/** Each has a database of its own on the one Postgres. */
const openPeer = async (name: PeerName, services: DeliveryServices): Promise<BenchServer> => {
  const databaseUrl = await ensureDatabase(
    services.environment['DATABASE_URL'] ?? '',
    `peer_${name.replaceAll('-', '_')}`,
  )
  return startPeer(`deliver/${name}`, { DATABASE_URL: databaseUrl })
}

const peerTurn = async (options: {
  receiver: BenchReceiver
  services: DeliveryServices
  peer: BenchServer
  count: number
  prefix: string
}): Promise<Turn> => {
  const { receiver, services, peer, count, prefix } = options
  const order = async (what: Order): Promise<number> =>
    Number(JSON.parse(await peer.ask(JSON.stringify(what))).seconds)
  const readCpu = async () => ({
    ...(await services.cpu()),
    own: await cpuSeconds(peer.pid),
    receiver: await cpuSeconds(receiver.pid),
  })
  await order({ do: 'fill', count, prefix, url: `${receiver.url}/callback`, body: BODY })
  const before = await readCpu()
  const seconds = await order({ do: 'work' })
  const after = await readCpu()
  return {
    perSecond: count / seconds,
    ...verify(
      await receiver.take(),
      idsOf(count, (number) => `${prefix}_${number}`),
    ),
    ownMs: msEach(before.own, after.own, count),
    receiverMs: msEach(before.receiver, after.receiver, count),
    postgresMs: msEach(before.postgres, after.postgres, count),
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

const report = (rounds: readonly Round[]): void => {
  const turnsOf = (name: keyof Round): Turn[] => rounds.map((round) => round[name])
  printTable((['bare', ...PEERS, 'dispatcher'] as const).map((name) => figuresOf(name, turnsOf(name))))
  const print = (what: string, ratios: number[], aim: string): void => {
    const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
    process.stdout.write(`${what}: ${median(ratios).toFixed(2)} (${all})${aim}\n`)
  }
  for (const name of ['bare', ...PEERS] as const) {
    const rates = rounds.map((round) => round.dispatcher.perSecond / round[name].perSecond)
    print(`dispatcher / ${name}, a second`, rates, name === 'bare' ? ', aim 0.35' : '')
  }
  for (const name of PEERS) {
    const cpus = rounds.map((round) => cpuOf(round.dispatcher) / cpuOf(round[name]))
    print(`dispatcher / ${name}, CPU without the receiver's`, cpus, '')
  }
}

const cpuOf = ({ ownMs, postgresMs, natsMs }: Turn): number =>
  (ownMs ?? Number.NaN) + (postgresMs ?? Number.NaN) + (natsMs ?? 0)

const figuresOf = (what: string, turns: readonly Turn[]) => ({
  what,
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
