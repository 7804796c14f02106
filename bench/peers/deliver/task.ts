import { createHmac, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Pool } from 'pg'
import { Agent } from 'undici'

/** A job of either library: one outcome to be delivered. */
export type Delivery = { webhookId: string; url: string; body: string }

/** One POST that was made for it; `status` is null when there was no answer. */
export type Attempt = { webhookId: string; startedAt: Date; status: number | null }

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS delivery_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    status integer
  )
`

const RECORD = `
  INSERT INTO delivery_attempts (webhook_id, started_at, status) SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::integer[])
`

/** The table of attempts, on a pool that the library may use too. */
export const openAttempts = async (pool: Pool) => {
  await pool.query(SCHEMA)
  return {
    record: async (attempts: readonly Attempt[]): Promise<void> => {
      await pool.query({
        name: 'record',
        text: RECORD,
        values: [
          attempts.map(({ webhookId }) => webhookId),
          attempts.map(({ startedAt }) => startedAt),
          attempts.map(({ status }) => status),
        ],
      })
    },
  }
}

export const openPool = (databaseUrl: string, size: number): Pool =>
  new Pool({ connectionString: databaseUrl, max: size, idleTimeoutMillis: 0 })

const secret = randomBytes(24)

/** Signs and POSTs over so many kept connections, with a time limit. Never rejects. */
export const openPost = (connections: number) => {
  const agent = new Agent({ connections, headersTimeout: 15_000, bodyTimeout: 15_000 })
  return async ({ webhookId, url, body }: Delivery): Promise<Attempt> => {
    const startedAt = new Date()
    const timestamp = String(Math.floor(startedAt.getTime() / 1000))
    const signature = createHmac('sha256', secret)
      .update(`${webhookId}.${timestamp}.${body}`)
      .digest('base64')
    const { origin, pathname: path } = new URL(url)
    const headers = {
      'content-type': 'application/json',
      'webhook-id': webhookId,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    }
    try {
      const answer = await agent.request({ origin, path, method: 'POST', headers, body })
      await answer.body.dump()
      return { webhookId, startedAt, status: answer.statusCode }
    } catch {
      return { webhookId, startedAt, status: null }
    }
  }
}

export const isDelivered = ({ status }: Attempt): boolean => status !== null && status >= 200 && status < 300

/** What the benchmark asks of a yardstick of deliveries. */
export type Order =
  /** Adds so many jobs, whose ids begin with the prefix. */
  | { do: 'fill'; count: number; prefix: string; url: string; body: string }
  /** Works until none is left. */
  | { do: 'work' }

/** Answers each order on a line with a line of how long it took, seconds. */
export const takeOrders = async (library: {
  fill: (deliveries: Delivery[]) => Promise<void>
  work: () => Promise<void>
}): Promise<void> => {
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as Order
    const beganMs = performance.now()
    if (order.do === 'fill') await library.fill(deliveriesOf(order))
    else await library.work()
    process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - beganMs) / 1000 })}\n`)
  }
}

const deliveriesOf = (order: Order & { do: 'fill' }): Delivery[] =>
  Array.from({ length: order.count }, (_one, index) => ({
    webhookId: `${order.prefix}_${index + 1}`,
    url: order.url,
    body: order.body,
  }))
