import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'

/** A payment whose payer is to be prompted. */
export type PushJob = { id: string; phone: string; amount: number; reference: string; token: string }

/** An outcome that its partner is to be told. */
export type DeliveryJob = { id: string; partnerId: string; webhookId: string; url: string; body: string }

const PUSHES = 'pushes'
const DELIVERIES = 'deliveries'

/** A push is never repeated by itself: nobody knows whether the payer was prompted. */
const PUSH_OPTIONS = { attempts: 1, removeOnComplete: true }

const DELIVERY_OPTIONS = {
  attempts: 14,
  backoff: { type: 'exponential', delay: 2_000 },
  removeOnComplete: true,
}

/** Commands of one tick of the event loop go to Redis together. */
const connectTo = (redisUrl: string): Redis =>
  new Redis(redisUrl, { maxRetriesPerRequest: null, enableAutoPipelining: true })

/** Both queues as the web process adds to them; resolves once Redis has the job. */
export const openQueues = (redisUrl: string) => {
  const connection = connectTo(redisUrl)
  const pushes = new Queue<PushJob>(PUSHES, { connection, defaultJobOptions: PUSH_OPTIONS })
  const deliveries = new Queue<DeliveryJob>(DELIVERIES, { connection, defaultJobOptions: DELIVERY_OPTIONS })
  return {
    addPush: (job: PushJob) => pushes.add('push', job),
    addDelivery: (job: DeliveryJob) => deliveries.add('deliver', job),
  }
}

type Work<Job> = {
  redisUrl: string
  /** Jobs under way at once. */
  atOnce: number
  /** A job of which it rejects is done again as its options say. */
  process: (job: Job) => Promise<void>
}

const workOn = <Job>(name: string, { redisUrl, atOnce, process: work }: Work<Job>): Worker<Job> => {
  const worker = new Worker<Job>(name, (job) => work(job.data), {
    connection: connectTo(redisUrl),
    concurrency: atOnce,
  })
  worker.on('error', (error) => process.stderr.write(`${error.message}\n`))
  return worker
}

export const workOnPushes = (work: Work<PushJob>): Worker<PushJob> => workOn(PUSHES, work)

export const workOnDeliveries = (work: Work<DeliveryJob>): Worker<DeliveryJob> => workOn(DELIVERIES, work)
