import type { Database } from '../../database/connect.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { ReceivedCallback } from './callback.ts'
import { type DatabaseAvailability, storeInTime } from './receive.ts'
import type { Spool } from './spool.ts'
import type { SpoolFile } from './spool-files.ts'

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
 * stay, and the loop tries again; one that the disk does not give keeps none of the others waiting.
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
  const passedOver = new Set<string>()
  let failure: Error | null = null
  for (;;) {
    const file = await spool.nextFile(passedOver)
    if (file === null) break
    try {
      await replayFile(parts, file)
      return true
    } catch (error) {
      if (!isOfDisk(error)) throw error
      failure ??= new Error(`${file.path}: ${error.message}`, { cause: error })
      passedOver.add(file.name)
    }
  }
  if (failure !== null) throw failure
  return false
}

/** True for what the system says of a file; Postgres' errors have no call of the system. */
const isOfDisk = (error: unknown): error is Error => error instanceof Error && 'syscall' in error

const replayFile = async (parts: Parts, file: SpoolFile): Promise<void> => {
  const { database, spool } = parts
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
}

const quarantine = async (parts: Parts, file: SpoolFile, callback: ReceivedCallback): Promise<void> => {
  await parts.spool.quarantine(file, callback)
  parts.log.error({ event: 'callback_set_aside', callback_id: callback.id, file: file.path })
}
