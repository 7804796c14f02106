import type { ReceivedCallback } from '../../../../src/core/callback/callback.ts'
import { openSpool, type Spool } from '../../../../src/core/callback/spool.ts'
import { encodeRecord } from '../../../../src/core/callback/spool-record.ts'
import { quietLog } from '../../../support/quiet-log.ts'
import { received } from '../received.ts'
import { createMemoryDisk, type DiskFaults, type MemoryDisk } from './memory-disk.ts'

/** What is said while a scenario runs, each at its instant. */
export type Note =
  /** A callback came; `record`: its bytes in the spool, in Latin-1. */
  | { kind: 'given'; id: string; record: string }
  /** Daraja was told that it is kept. */
  | { kind: 'acknowledged'; id: string }
  /** Postgres has it. */
  | { kind: 'stored'; id: string }
  /** A disk had damaged these bytes before; in Latin-1. */
  | { kind: 'damaged'; bytes: string }

export type Stage = {
  disk: MemoryDisk<Note>
  /** Starts a process on the disk. */
  start(faults?: DiskFaults & { leftBehindMs?: number }): Promise<Process>
}

type Process = {
  /** Takes callbacks at once, and acknowledges those that are durable. */
  take(count: number, bodyBytes?: number): Promise<void>
  /** Brings the oldest file into Postgres, as `replay` does; Postgres refuses the callbacks that `isRefused` says. */
  replay(isRefused?: (position: number) => boolean): Promise<void>
  close(): Promise<void>
}

/** Two levels, of which neither is there at first. */
export const FOLDER = '/var/spool'

export const createStage = (): Stage => {
  const disk = createMemoryDisk<Note>()
  let files = 0
  const start: Stage['start'] = async ({ leftBehindMs = 0, ...faults } = {}) => {
    const own = disk.forProcess(faults)
    const newId = (): string => `file-${(files += 1)}`
    const opening = openSpool({ folder: FOLDER, newId, log: quietLog, leftBehindMs, disk: own.disk })
    const spool = await unlessDead(opening, own.died)
    return {
      take: (count, bodyBytes) => unlessDead(take(disk, spool, count, bodyBytes), own.died),
      replay: (isRefused) => unlessDead(replay(disk, spool, isRefused), own.died),
      close: () => unlessDead(spool.close(), own.died),
    }
  }
  return { disk, start }
}

/** A process died, as the scenario wants it. */
export class Died extends Error {
  override name = 'Died'
}

const unlessDead = <Result>(work: Promise<Result>, died: Promise<void>): Promise<Result> =>
  Promise.race([
    work,
    died.then(() => {
      throw new Died()
    }),
  ])

/** The same callbacks each time a scenario is played, so that the same states of the disk are known again. */
const callbackOf = (disk: MemoryDisk<Note>, bodyBytes: number): ReceivedCallback => {
  const number = disk.steps.filter((step) => step.kind === 'note' && step.note.kind === 'given').length
  return received({
    id: `019ac000-0000-7000-8000-${String(number).padStart(12, '0')}`,
    received_at: new Date('2026-02-03T04:05:06.789Z'),
    body: Buffer.alloc(bodyBytes, '{"Body":{}}'),
  })
}

const take = async (disk: MemoryDisk<Note>, spool: Spool, count: number, bodyBytes = 11): Promise<void> => {
  const callbacks = Array.from({ length: count }, () => {
    const callback = callbackOf(disk, bodyBytes)
    disk.note({ kind: 'given', id: callback.id, record: encodeRecord(callback).toString('latin1') })
    return callback
  })
  await Promise.all(
    callbacks.map(async (callback) => {
      const isKept = await spool.add(callback).then(
        () => true,
        () => false,
      )
      if (isKept) disk.note({ kind: 'acknowledged', id: callback.id })
    }),
  )
}

const replay = async (
  disk: MemoryDisk<Note>,
  spool: Spool,
  isRefused: (position: number) => boolean = () => false,
): Promise<void> => {
  const file = await spool.nextFile()
  if (file === null) return
  const { callbacks } = await spool.read(file)
  const refused = (_one: ReceivedCallback, position: number): boolean => isRefused(position)
  for (const { id } of callbacks.filter((one, position) => !refused(one, position)))
    disk.note({ kind: 'stored', id })
  for (const callback of callbacks.filter(refused)) await spool.quarantine(file, callback)
  await spool.remove(file)
}

/** A file that a writer left behind, whose last record a disk has damaged. */
const leaveDamagedFile = async (stage: Stage): Promise<void> => {
  const { disk } = stage.disk.forProcess()
  const torn = encodeRecord(received()).subarray(0, -5)
  const file = await disk.open(`${FOLDER}/damaged.sealed`, 'wx')
  await file.write(torn, 0, torn.length, 0)
  await file.sync()
  await (await disk.open(FOLDER, 'r')).sync()
  stage.disk.note({ kind: 'damaged', bytes: torn.toString('latin1') })
}

/** What a process goes through: its faults come from the kill, where one is tried at each of its calls. */
const life = async (process: Process): Promise<void> => {
  await process.take(2)
  await process.take(1)
  await process.replay()
  await process.take(1)
  await process.close()
}

/** What happens before the power is cut, in each of its instants. */
export const SCENARIOS: Record<string, (stage: Stage) => Promise<void>> = {
  'callbacks come, alone and together, and the spool is closed': async (stage) => {
    const process = await stage.start()
    await process.take(1)
    await process.take(3)
    await process.close()
  },
  'the system takes what is written in parts': async (stage) => {
    const process = await stage.start({ writesAtMost: 150 })
    await process.take(1)
    await process.take(2)
  },
  'a callback is larger than what disks write at once': async (stage) => {
    const process = await stage.start()
    await process.take(1, 1_600)
    await process.take(1, 900)
  },
  'files are replayed while others are written': async (stage) => {
    const process = await stage.start()
    await process.take(2)
    await process.replay()
    await process.take(2)
    await process.replay()
    await process.take(1)
  },
  'a damaged file is replayed, and Postgres refuses a callback': async (stage) => {
    const process = await stage.start()
    await leaveDamagedFile(stage)
    await process.take(2)
    await process.replay()
    await process.replay((position) => position === 1)
    await process.replay()
  },
  'another process takes the file over while it is written': async (stage) => {
    const writer = await stage.start({ leftBehindMs: 60_000 })
    await writer.take(1)
    const heir = await stage.start()
    await Promise.all([writer.take(2), heir.replay(), writer.take(1)])
    await Promise.all([heir.replay(), writer.take(1)])
    await heir.replay()
  },
  'a sync of the file fails': async (stage) => {
    // The first is of the file that tries the disk.
    const process = await stage.start({ failedFileSync: 3 })
    await process.take(1)
    await process.take(2)
    await process.take(1)
    await process.replay()
  },
  'a sync of the folder fails': async (stage) => {
    const process = await stage.start({ failedFolderSync: 4 })
    await process.take(1)
    await process.take(1)
  },
  'the disk is full in the midst of a write': async (stage) => {
    const process = await stage.start({ failedWrite: 3 })
    await process.take(1)
    await process.take(2)
    await process.take(1)
  },
}

/**
 * A process is killed before its call of the given number, and another goes on; the number of steps before the kill, null:
 * it had no such call.
 */
export const killedBefore =
  (call: number) =>
  async (stage: Stage): Promise<number | null> => {
    const isKilled = await stage
      .start({ diesBefore: call })
      .then(life)
      .then(
        () => false,
        (error: unknown) => {
          if (error instanceof Died) return true
          throw error
        },
      )
    if (!isKilled) return null
    const steps = stage.disk.steps.length
    await life(await stage.start())
    return steps
  }
