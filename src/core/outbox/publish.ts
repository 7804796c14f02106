import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { createLookBack, instantOf, type Look, type Looked, lookedTo } from '../../database/look-back.ts'
import { isOutage } from '../../database/outage.ts'
import type { DeliveryQueue } from '../../queue/delivery-queue.ts'
import type { Due } from '../../queue/delivery-stream.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { TracePublishing } from './trace-publishing.ts'

/** How often the outbox is looked at for what became due by the clock, ms: `wake` announces what is due at once. */
const IDLE_MS = 200

/** Rows a round takes at most, and so messages under way at once. */
const BATCH = 500

/** What was published this long ago and is still due is published again: it bounds the damage of any loss, seconds. */
export const SWEEP_SECONDS = 120

/** The pause after a publish failed, ms; doubled each time, up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** Publishes deliveries that have just been committed as published, out of the memory of who committed them. */
export type PublishAtOnce = (committed: readonly Due[]) => void

export type Publishing = Loop & {
  /** Null while the queue is away or just failed: what is committed then is the loop's to publish. */
  atOnce(): PublishAtOnce | null
}

/**
 * Publishes the deliveries that are due: outbox to JetStream. A row is published when JetStream says that it is
 * stored; else it is due to be published again at once, under its next number, after a growing pause of the whole loop.
 * Without a queue (`null`), or while it is away, nothing is done: dispatchers then find what is due by themselves.
 * `wake` when a delivery was committed. What `atOnce` is given needs no round and no statement: it was committed as
 * published, and should this process end first, dispatchers find it in Postgres, and the sweep does.
 */
export const startPublishing = (options: {
  database: Database
  queue: DeliveryQueue | null
  log: Log
  nowMs: () => number
  trace?: TracePublishing | undefined
}): Publishing => {
  const { database, queue } = options
  const pause = createPause(options)
  const lookBack = createLookBack(options.nowMs)
  const underWay = new Set<Promise<void>>()
  let unsure: Due[] = []

  const isOpen = (): boolean => queue !== null && queue.state() === 'ok' && !pause.isOn()

  const publish = async (rows: readonly Due[]): Promise<void> => {
    if (queue === null || rows.length === 0) return
    const traced = options.trace?.()
    crashPoint('publish.before_send')
    const outcomes = await Promise.allSettled(rows.map((row) => queue.publish(row)))
    crashPoint('publish.after_send')
    traced?.(rows, (index) => outcomes[index]?.status === 'fulfilled')
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failure === undefined) return pause.end()
    const failed = rows.filter((_row, index) => outcomes[index]?.status === 'rejected')
    pause.begin(failure.reason, failed.length)
    unsure = [...unsure, ...failed]
  }

  const recordUnsure = async (): Promise<void> => {
    const recording = unsure
    if (recording.length === 0) return
    await markUnpublished(database, recording)
    unsure = unsure.slice(recording.length)
  }

  const round = async (): Promise<boolean> => {
    await recordUnsure()
    if (!isOpen()) return false
    const rows = await takeUnpublished(database, lookBack.begin())
    await publish(rows)
    await recordUnsure()
    return isOpen() && rows.length === BATCH
  }

  const loop = startLoop({ name: 'publish', idleMs: IDLE_MS, round, isOutage, log: options.log })

  const publishAtOnce: PublishAtOnce = (committed) => {
    const publishing = publish(committed).finally(() => {
      underWay.delete(publishing)
      if (unsure.length > 0) loop.wake()
    })
    underWay.add(publishing)
  }
  const stop = async (): Promise<void> => {
    await Promise.all(underWay)
    await loop.stop()
  }
  return { ...loop, stop, atOnce: () => (isOpen() ? publishAtOnce : null) }
}

/** The loop's pause after a failure; logged when the failures begin and when they end. */
const createPause = (options: { log: Log; nowMs: () => number }) => {
  let failures = 0
  let untilMs = 0
  return {
    isOn: (): boolean => failures > 0 && options.nowMs() < untilMs,
    begin: (error: unknown, deliveries: number): void => {
      const reason = error instanceof Error ? error.message : String(error)
      if (failures === 0) options.log.warn({ event: 'publishing_held_up', reason, deliveries })
      untilMs = options.nowMs() + Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS)
      failures += 1
    },
    end: (): void => {
      if (failures > 0) options.log.info({ event: 'publishing_resumed', failures })
      failures = 0
    },
  }
}

/**
 * Takes what is due, not held, not yet published (or published so long ago that the message must be lost) and with no
 * dispatcher, gives each the next publish number, and takes it for published: should this process end now, the sweep
 * finds it.
 */
export const takeUnpublished = async (database: Database, look: Look): Promise<Due[]> => {
  crashPoint('take_unpublished.before_commit')
  const { rows } = await sql<Looked & (Due | { delivery_id: null })>`
    WITH due AS (
      SELECT delivery_id, publish_at FROM to_deliver
      WHERE publish_at BETWEEN ${instantOf(look)} AND now() AND due_at <= now() AND leased_until <= now() AND held_at IS NULL
      ORDER BY publish_at LIMIT ${BATCH}
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE to_deliver
      SET publish_number = publish_number + 1, publish_at = now() + make_interval(secs => ${SWEEP_SECONDS})
      WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM due))
      RETURNING delivery_id, publish_number, partner_id, host
    ), looked AS (
      SELECT ${LOOKED_TO} FROM due
    )
    SELECT looked.*, taken.* FROM looked LEFT JOIN taken ON true
  `.execute(database)
  const taken = rows.flatMap((row) => (row.delivery_id === null ? [] : [row]))
  crashPoint('take_unpublished.after_commit', taken.length)
  if (rows[0]) look.ended(rows[0])
  return taken.map(({ delivery_id, publish_number, partner_id, host }) => ({
    delivery_id,
    publish_number,
    partner_id,
    host,
  }))
}

/** Up to the last that was found where these are all that a round takes, else up to now. */
const LOOKED_TO = lookedTo('to_deliver', sql`CASE count(*) WHEN ${BATCH} THEN max(publish_at) ELSE now() END`)

/** Makes rows due to be published again, unless somebody has done so meanwhile. */
const markUnpublished = async (database: Database, rows: readonly Due[]): Promise<void> => {
  crashPoint('mark_unpublished.before_commit')
  const given = givenRows(rows, {
    delivery_id: ['to_deliver.delivery_id', (row) => row.delivery_id],
    publish_number: ['to_deliver.publish_number', (row) => row.publish_number],
  })
  await database
    .with('unsure', (query) =>
      query
        .selectFrom('to_deliver')
        .innerJoin(given, (join) =>
          join
            .onRef('to_deliver.delivery_id', '=', 'given.delivery_id')
            .onRef('to_deliver.publish_number', '=', 'given.publish_number'),
        )
        .select('to_deliver.delivery_id')
        .orderBy('to_deliver.delivery_id')
        .forUpdate('to_deliver')
        .skipLocked(),
    )
    .updateTable('to_deliver')
    .from('unsure')
    .set({ publish_at: sql`now()` })
    .whereRef('to_deliver.delivery_id', '=', 'unsure.delivery_id')
    .execute()
  crashPoint('mark_unpublished.after_commit')
}
