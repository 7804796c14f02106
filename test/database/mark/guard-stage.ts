import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { type NumberGuard, openNumberGuard } from '../../../src/database/mark/number-guard.ts'
import { createLog, type Log } from '../../../src/runtime/log.ts'
import { createTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openTestFolder } from '../../support/folder.ts'
import { acceptPayments } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'
/** A process that gives out ids of payments, guarded by its own marks. */
export type GuardedProcess = {
  database: Database
  guard: NumberGuard
  folder: string
  accept(count: number): Promise<bigint[]>
}

/** Opens a database, and a place for the marks of processes that give out its ids; their clock stands still until they follow. */
export const openGuardStage = async () => {
  await using opening = new AsyncDisposableStack()
  const own = opening.adopt(await createTestDatabase(), (one) => one.drop())
  const { path: folder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const lines: Record<string, unknown>[] = []
  const log: Log = createLog({
    name: 'test',
    level: 'info',
    to: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  })
  const open = opening.move()
  let nowMs = 0
  let started = 0

  const startIn = async (place: string, url = own.url): Promise<GuardedProcess> => {
    await mkdir(place, { recursive: true })
    started += 1
    const guard = await openNumberGuard({
      folder: place,
      name: `process-${started}`,
      log,
      clock: () => new Date(1_000 + nowMs),
      nowMs: () => nowMs,
    })
    const database = connectDatabase({
      databaseUrl: url,
      poolSize: 3,
      log: quietLog,
      onConnect: guard.onConnect,
    })
    open.defer(() => database.destroy())
    const accept = (count: number): Promise<bigint[]> =>
      eventually(() =>
        acceptPayments(database, count, { submitTtlMs: 60_000, numbers: guard.numbersOf(database) }),
      )
    return { database, guard, folder: place, accept }
  }
  return {
    databaseUrl: own.url,
    folder,
    lines,
    open,
    events: (): unknown[] => lines.map(({ event }) => event),
    /** Starts one; with the name of another that was stopped it is the same machine again. */
    start: async (machine: string, url = own.url): Promise<GuardedProcess> => {
      const place = join(folder, machine)
      await rm(place, { recursive: true, force: true })
      return startIn(place, url)
    },
    startIn,
    /** Lets a process follow what is drawn, until that is certain. */
    follow: async ({ guard, database }: GuardedProcess): Promise<void> => {
      for (const _round of [1, 2]) {
        nowMs += 1_000
        await guard.check(database)
      }
    },
    close: () => open.disposeAsync(),
  }
}

export type GuardStage = Awaited<ReturnType<typeof openGuardStage>>

export const max = (ids: readonly bigint[]): bigint =>
  ids.reduce((one, other) => (one > other ? one : other), 0n)
