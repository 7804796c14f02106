import { setTimeout as pause } from 'node:timers/promises'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import type { Database } from '../../src/database/connect.ts'
import { openDatabaseLink } from '../support/tcp-link.ts'

/** Where a process is to be killed. */
export type Place = {
  database: Database
  databaseUrl: string
  natsUrl: string
  httpUrl: string
  spoolFolder: string
  /** Resolves when the process listens, or is dead before. */
  started: Promise<unknown>
}

/** What was made for it to come to its point: settings of its own, and what ends the trouble. */
export type Prepared = AsyncDisposable & { environment?: Record<string, string> }

/** How long Postgres is away at most, ms: longer than a slow callback takes. */
const AWAY_MS = 4_000

/** How often it is looked whether Postgres is to go or to come back, ms. */
const LOOK_MS = 50

/**
 * Lets Postgres go away, once the process has started, whenever a callback is to come for a payer who is slow, and come back
 * when something is in the spool; also when nothing comes there, as where the callback was sooner. By what happens, not by the
 * clock: on a loaded machine neither a start nor a push fits into a moment that was chosen beforehand.
 */
export const keepLosingPostgres = async (place: Place, slowPhone: string): Promise<Prepared> => {
  const { link, url } = await openDatabaseLink(place.databaseUrl)
  const ended = new AbortController()
  const run = async (): Promise<void> => {
    await place.started
    while (!ended.signal.aborted) {
      const last = await lastPayment(place.database)
      await until(() => awaitsCallback(place.database, last, slowPhone), ended.signal)
      const before = await spooledIn(place.spoolFolder)
      link.block()
      const isSpooled = async () => !(await spooledIn(place.spoolFolder)).isSubsetOf(before)
      await until(isSpooled, AbortSignal.any([ended.signal, AbortSignal.timeout(AWAY_MS)]))
      link.open()
    }
  }
  const running = run()
  running.catch(() => undefined)
  return {
    environment: { DATABASE_URL: url },
    [Symbol.asyncDispose]: async () => {
      ended.abort()
      await link.close()
      await running
    },
  }
}

/** Resolves when `check` has come true, or the signal says that it is of no use any more. */
const until = async (check: () => Promise<boolean>, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted && !(await check())) await pause(LOOK_MS)
}

/** The files that hold callbacks; a name stays as long as a file is not replayed. */
const spooledIn = async (folder: string): Promise<Set<string>> =>
  new Set((await listRecordFiles(folder)).map(({ name }) => name))

const lastPayment = async (database: Database): Promise<bigint> => {
  const last = await database
    .selectFrom('payments')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirst()
  return last?.id ?? 0n
}

/** Whether this payer has been prompted for a payment that was accepted after another, and has not answered. */
const awaitsCallback = async (database: Database, after: bigint, phone: string): Promise<boolean> => {
  const waiting = await database
    .selectFrom('payments')
    .select('id')
    .where('id', '>', after)
    .where('msisdn', '=', phone)
    .where('state', '=', 'submitted')
    .executeTakeFirst()
  return waiting !== undefined
}
