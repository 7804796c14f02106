import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { type DnsServer, startDnsServer } from '../test/support/dns-server.ts'
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

/** Outcomes a second of all partners together. */
const PER_SECOND = 200

/** What the first partners' endpoints do; the name of the last has a name server that never answers. */
const TROUBLES = ['hang', 'fail', 'moved', 'dead'] as const

type Stage = {
  services: DeliveryServices
  source: OutcomeSource
  receiver: BenchReceiver
  troubled: Endpoint[]
  others: Endpoint[]
}

type Arrivals = { latencies: Latency[]; lost: number; duplicates: number }

/**
 * `npm run bench isolation`: what four partners in trouble do to the others. Of 50 partners with 200 outcomes a second one hangs
 * for half a minute on every request, one answers 500, one redirects, and one's name server is dead. Rounds with and without the
 * four take turns; each of the others has the same load in both. Every id of theirs is looked for at the receiver.
 */
export const benchIsolation = async (options: { rounds: number; seconds: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: PARTNERS, say })
  const receiver = await startBenchReceiver()
  const nameServer = await startDnsServer()
  const dispatcher = await startGateway('dispatch', {
    ...services.environment,
    DELIVERY_NAME_SERVERS: nameServer.address,
  })
  const source = await startOutcomeSource(services)
  const stage: Stage = { services, source, receiver, ...endpointsOf({ services, receiver, nameServer }) }
  try {
    say(`${options.rounds} rounds of twice ${options.seconds} s`)
    await run(stage, { troubled: false, seconds: 5 })
    const rounds: { without: Arrivals; with: Arrivals }[] = []
    for (let round = 0; round < options.rounds; round += 1) {
      const without = await run(stage, { troubled: false, seconds: options.seconds })
      rounds.push({ without, with: await run(stage, { troubled: true, seconds: options.seconds }) })
      await forgetTroubled(stage)
    }
    report(rounds)
  } finally {
    await source.stop()
    await dispatcher.stop('SIGTERM')
    await receiver.stop()
    await nameServer.close()
    await services.stop()
  }
}

/** Each partner has a host of its own, all of which lead to the one receiver. */
const endpointsOf = (options: {
  services: DeliveryServices
  receiver: BenchReceiver
  nameServer: DnsServer
}): { troubled: Endpoint[]; others: Endpoint[] } => {
  const { services, receiver, nameServer } = options
  const all = services.partnerIds.map((partnerId, index) => {
    const name = TROUBLES[index] ?? 'good'
    const host = `${name}-${index}.shop.co.ke`
    nameServer.answer(host, name === 'dead' ? 'silence' : ['127.0.0.1'])
    return { partnerId, url: `http://${host}:${receiver.port}/${name}` }
  })
  return { troubled: all.slice(0, TROUBLES.length), others: all.slice(TROUBLES.length) }
}

/** The others' outcomes, with those of the troubled among them or without. */
const run = async (stage: Stage, given: { troubled: boolean; seconds: number }): Promise<Arrivals> => {
  const endpoints = given.troubled ? [...stage.troubled, ...stage.others] : stage.others
  const perSecond = (PER_SECOND * endpoints.length) / PARTNERS
  const ids = await stage.source.pace({ endpoints, perSecond, seconds: given.seconds })
  const first = given.troubled ? stage.troubled.length : 0
  const ofOthers = ids.filter((_id, index) => index % endpoints.length >= first)
  return awaitOutcomes({ ...stage, database: stage.services.database, ids: ofOthers })
}

/** Longer than any attempt takes, ms. */
const LONGEST_ATTEMPT_MS = 16_000

/** Prints what came of the troubled partners' attempts, and ends what is left of theirs, so that the next round begins anew. */
const forgetTroubled = async (stage: Stage): Promise<void> => {
  const { database } = stage.services
  const partnerIds = stage.troubled.map(({ partnerId }) => partnerId)
  const { rows } = await sql<{ trouble: string; attempts: number; held: number }>`
    SELECT split_part(min(deliveries.host), '-', 1) AS trouble, count(attempts.number)::float8 AS attempts,
           count(DISTINCT to_deliver.delivery_id) FILTER (WHERE held_at IS NOT NULL)::float8 AS held
    FROM deliveries LEFT JOIN attempts ON attempts.delivery_id = deliveries.id
    LEFT JOIN to_deliver ON to_deliver.delivery_id = deliveries.id
    WHERE deliveries.partner_id = ANY(${partnerIds}::bigint[]) AND deliveries.state = 'pending'
    GROUP BY deliveries.partner_id ORDER BY deliveries.partner_id
  `.execute(database)
  printTable(rows)
  await sql`DELETE FROM to_deliver WHERE partner_id = ANY(${partnerIds}::bigint[])`.execute(database)
  await sql`UPDATE deliveries SET state = 'cancelled' WHERE partner_id = ANY(${partnerIds}::bigint[])`.execute(
    database,
  )
  await pause(LONGEST_ATTEMPT_MS)
  await sql`DELETE FROM endpoints WHERE partner_id = ANY(${partnerIds}::bigint[])`.execute(database)
  await stage.receiver.take()
}

const report = (rounds: readonly { without: Arrivals; with: Arrivals }[]): void => {
  const without = merge(rounds.map((round) => round.without))
  const withThem = merge(rounds.map((round) => round.with))
  printTable([
    { 'the others': 'alone', ...figuresOf(without) },
    { 'the others': 'beside the four', ...figuresOf(withThem) },
  ])
  const ratio = percentile(withThem.latencies, 0.99) / percentile(without.latencies, 0.99)
  const each = rounds.map(
    (round) => percentile(round.with.latencies, 0.99) / percentile(round.without.latencies, 0.99),
  )
  process.stdout.write(
    `p99 beside the four / alone: ${ratio.toFixed(2)} (${each.map((one) => one.toFixed(2)).join(', ')}), aim at most 1.20\n`,
  )
}

const merge = (arrivals: readonly Arrivals[]): Arrivals => ({
  latencies: arrivals.flatMap(({ latencies }) => latencies),
  lost: arrivals.reduce((sum, { lost }) => sum + lost, 0),
  duplicates: arrivals.reduce((sum, { duplicates }) => sum + duplicates, 0),
})

const figuresOf = (arrivals: Arrivals) => ({
  arrived: arrivals.latencies.length,
  lost: arrivals.lost,
  duplicates: arrivals.duplicates,
  'p50 ms': percentile(arrivals.latencies, 0.5).toFixed(1),
  'p95 ms': percentile(arrivals.latencies, 0.95).toFixed(1),
  'p99 ms': percentile(arrivals.latencies, 0.99).toFixed(1),
  'max ms': percentile(arrivals.latencies, 1).toFixed(1),
})
