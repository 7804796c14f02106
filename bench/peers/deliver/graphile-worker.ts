import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import { type Delivery, isDelivered, openAttempts, openPool, openPost, takeOrders } from './task.ts'

// The yardstick: deliveries as jobs of graphile-worker, which takes jobs and completes them many at once; each attempt is
// recorded in a statement of its own before its job is completed, and a job whose attempt failed is done again later.

const AT_ONCE = 256
const POOL_SIZE = 20
const MAX_ATTEMPTS = 14

const pool = openPool(process.env['DATABASE_URL'] ?? '', POOL_SIZE)
const attempts = await openAttempts(pool)
const post = openPost(AT_ONCE)
// It would write two lines a job.
const logger = new Logger(() => () => undefined)
const utils = await makeWorkerUtils({ pgPool: pool, logger })
await utils.migrate()

const preset = {
  worker: {
    concurrentJobs: AT_ONCE,
    localQueue: { size: 2 * AT_ONCE },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
}

let left = 0
let onDone: () => void = () => undefined

const taskList = {
  deliver: async (payload: unknown): Promise<void> => {
    const attempt = await post(payload as Delivery)
    await attempts.record([attempt])
    if (!isDelivered(attempt)) throw new Error(`answered ${attempt.status}`)
    left -= 1
    if (left === 0) onDone()
  },
}

await takeOrders({
  fill: async (deliveries) => {
    left += deliveries.length
    await pool.query(
      `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
         SELECT json_populate_record(NULL::graphile_worker.job_spec, job) FROM json_array_elements($1::json) AS job
       ))`,
      [
        JSON.stringify(
          deliveries.map((payload) => ({ identifier: 'deliver', payload, max_attempts: MAX_ATTEMPTS })),
        ),
      ],
    )
  },
  work: async () => {
    const done = new Promise<void>((resolve) => {
      onDone = resolve
    })
    const runner = await run({ pgPool: pool, taskList, preset, logger, noHandleSignals: true })
    await done
    await runner.stop()
  },
})
