import { sql } from 'kysely'
import { connect } from 'nats'
import { subjectOf } from '../../src/queue/delivery-stream.ts'
import { addDelivery } from '../support/deliveries.ts'
import { eventually } from '../support/eventually.ts'
import type { TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { type Sample, scrape } from './scrape.ts'

/** All that a `serve`, a `dispatch` and a console show once everything has happened that makes a metric show. */
export const scrapeAll = async (
  { serve, dispatch }: TestGateway,
  console: GatewayProcess | null,
): Promise<Sample[]> => {
  const samples = [
    ...(console === null ? [] : [scrape(console.ready['ops_url'] ?? '', 'gateway-console')]),
    ...serve.map(({ ready }) => scrape(ready['ops_url'] ?? '', 'gateway-serve')),
    ...dispatch.map(({ ready }) => scrape(ready['ops_url'] ?? '', 'gateway-dispatch')),
  ]
  return (await Promise.all(samples)).flat()
}

/** What has samples only once it has happened. */
const WAITED_FOR = [
  'gateway_log_errors_total',
  'gateway_totals_age_seconds',
  'gateway_endpoint_held_age_seconds',
  'gateway_delivery_attempt_duration_seconds_count',
]

/** Brings about what some metrics need to have samples: a payment that is delivered, one that is held, an error. */
export const makeMetricsShow = async (gateway: TestGateway): Promise<void> => {
  const { database, stream } = gateway
  await pay(gateway)
  await sql`INSERT INTO endpoints (partner_id, host, state, open_until)
    VALUES (1, 'down.example', 'open', now() + interval '1 hour')`.execute(database)
  const held = await addDelivery(database, 'https://down.example/', 1n)
  await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${held}`.execute(database)
  if (stream === null) throw new Error('there is no stream')
  const connection = await connect({ servers: stream.natsUrl })
  await connection.jetstream().publish(subjectOf(stream.name), 'none of ours')
  await connection.close()
  await eventually(async () => {
    const samples = await scrapeAll(gateway, null)
    const has = (metric: string) => samples.some((one) => one.metric === metric && one.value > 0)
    for (const metric of WAITED_FOR) if (!has(metric)) throw new Error(`${metric} does not show yet`)
  })
}

const pay = async ({ httpUrl, apiKey, world }: TestGateway): Promise<void> => {
  const answer = await fetch(`${httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({ phone: '254712345678', amount: 150, callback_url: `${world.receiver.url}/paid` }),
  })
  if (answer.status !== 200) throw new Error(await answer.text())
}
