import type { Database } from '../../database/connect.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { ReceivedCallback } from './callback.ts'
import { type DatabaseAvailability, storeInTime } from './receive.ts'
import type { Spool } from './spool.ts'

/** Callbacks that one transaction takes. */
const BATCH = 500

/** How long the loop rests between looks at the folder, ms. */
const IDLE_MS = 500

/** How long one batch may take before Postgres counts as away, ms. */
const PATIENCE_MS = 5_000

type Parts = {
  database: Database
  spool: Spool
  availability: DatabaseAvailability
  log: Log
  /** Called after callbacks from the spool were stored. */
  onReceived: () => void
}

/**
 * Brings what the spool holds into Postgres: at start, as soon as Postgres is back, and what a process that is gone
 * left in the folder. While Postgres is away each round first asks whether it would take a callback. A file is removed
 * after all of it is stored; a crash between the two replays it, which changes nothing. Whatever goes wrong, the files
 * stay, and the loop tries again.
 */
export const startReplaying = (parts: Parts): Loop =>
  startLoop({
    name: 'replay',
    idleMs: IDLE_MS,
    round: () => replayOne(parts),
    isOutage: () => true,
    log: parts.log,
  })

const replayOne = async (parts: Parts): Promise<boolean> => {
  const { database, availability, spool } = parts
  if (availability.isDown()) {
    await storeInTime(database, [], { patienceMs: PATIENCE_MS })
    availability.markUp()
  }
  const file = await spool.nextFile()
  if (file === null) return false
  const { callbacks, damaged } = await spool.read(file)
  let refused = 0
  for (let from = 0; from < callbacks.length; from += BATCH) {
    const some = callbacks.slice(from, from + BATCH)
    const results = await storeInTime(database, some, { patienceMs: PATIENCE_MS })
    const bad = some.filter((_one, index) => results[index] instanceof Error)
    for (const callback of bad) await quarantine(parts, file, callback)
    refused += bad.length
  }
  await spool.remove(file)
  parts.log.info({
    event: 'spool_replayed',
    file: file.path,
    callbacks: callbacks.length - refused,
    refused,
    damaged: damaged.length,
  })
  if (callbacks.length > refused) parts.onReceived()
  return true
}

const quarantine = async (
  parts: Parts,
  file: Parameters<Spool['quarantine']>[0],
  callback: ReceivedCallback,
): Promise<void> => {
  await parts.spool.quarantine(file, callback)
  parts.log.error({ event: 'callback_set_aside', callback_id: callback.id, file: file.path })
}
