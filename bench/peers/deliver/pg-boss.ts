import { PgBoss } from 'pg-boss'
import { type Delivery, isDelivered, openAttempts, openPool, openPost, takeOrders } from './task.ts'

// The yardstick: deliveries as jobs of pg-boss, in batches: all POSTs of a batch are under way at once, their attempts are recorded
// in one statement, and each job is completed or done again later by its own.

const WORKERS = 4
const BATCH = 64
const POOL_SIZE = 20
const QUEUE = 'deliveries'

/** Jobs that are added by one statement. */
const ADD_AT_ONCE = 5_000

const databaseUrl = process.env['DATABASE_URL'] ?? ''
const attempts = await openAttempts(openPool(databaseUrl, WORKERS))
const post = openPost(WORKERS * BATCH)
const boss = new PgBoss({ connectionString: databaseUrl, max: POOL_SIZE, schedule: false })
boss.on('error', (error) => process.stderr.write(`${error.message}\n`))
await boss.start()
await boss.createQueue(QUEUE, { retryLimit: 13, retryDelay: 2, retryBackoff: true })

let left = 0
let onDone: () => void = () => undefined

const deliverAll = async (jobs: { id: string; data: Delivery }[]) => {
  const made = await Promise.all(jobs.map(({ data }) => post(data)))
  await attempts.record(made)
  left -= made.filter(isDelivered).length
  if (left === 0) onDone()
  return jobs.map(({ id }, index) => {
    const attempt = made[index]
    const status =
      attempt !== undefined && isDelivered(attempt) ? ('completed' as const) : ('failed' as const)
    return { id, status }
  })
}

await takeOrders({
  fill: async (deliveries) => {
    left += deliveries.length
    for (let start = 0; start < deliveries.length; start += ADD_AT_ONCE) {
      await boss.insert(
        QUEUE,
        deliveries.slice(start, start + ADD_AT_ONCE).map((data) => ({ data })),
      )
    }
  },
  work: async () => {
    const done = new Promise<void>((resolve) => {
      onDone = resolve
    })
    await boss.work(
      QUEUE,
      {
        perJobResults: true,
        batchSize: BATCH,
        localConcurrency: WORKERS,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      },
      deliverAll,
    )
    await done
    await boss.offWork(QUEUE)
  },
})
