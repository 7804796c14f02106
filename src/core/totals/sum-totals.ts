import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { addPaid, applyRedated } from './add-paid.ts'
import { lockSummed, moveOn, type Round, readRound } from './summed.ts'

// What was paid is summed once a minute, from what is committed: nothing on a payment's way writes anything for it. One
// row says how far that came; whoever has it locked sums on from there and moves it, in one transaction. So any number of
// replicas share the work, and each payment counts once, also when a process dies at any instant.
//
// A payment succeeds once, and its success is an event. From the first round on successes are taken as events, below the
// horizon under which nothing is ever inserted (decision 37). Those of before are found by the ids of their payments,
// so many a round, until the last that there was: each is one or the other by its position.

/** How often it is summed, ms; while what was there before is summed, and until it is known until when all is, shorter. */
const EVERY_MS = 60_000
const FILLING_MS = 100
const BEGINNING_MS = 1_000

/** What a round takes at most: positions of events, and payments of before. */
const MOST_POSITIONS = 20_000
const MOST_PAYMENTS = 20_000

/** Sums what all partners were paid. */
export const startSummingTotals = ({ database, log }: { database: Database; log: Log }): Loop =>
  startLoop({
    name: 'totals',
    idleMs: EVERY_MS,
    round: async () => {
      const round = await sumTotals(database)
      if (round === null) return false
      if (round.is_filled && round.was_filling) log.info({ event: 'totals_filled' })
      if (round.is_behind) return true
      if (!round.is_filled) return FILLING_MS
      return round.summed_to === null ? BEGINNING_MS : false
    },
    isOutage,
    log,
  })

/**
 * Sums what was committed since it was summed last, or a part of it: `is_behind` says that there is more. Null: another
 * process sums just now.
 */
export const sumTotals = async (
  database: Database,
  { mostPayments = MOST_PAYMENTS }: { mostPayments?: number } = {},
): Promise<Round | null> => {
  const round = await database.transaction().execute(async (transaction) => {
    const done = await sumWithin(transaction, mostPayments)
    crashPoint('sum_totals.before_commit')
    return done
  })
  crashPoint('sum_totals.after_commit')
  return round
}

const sumWithin = async (transaction: Transaction<Schema>, mostPayments: number): Promise<Round | null> => {
  const from = await lockSummed(transaction)
  if (from === null) return null
  const round = await readRound(transaction, from, { mostPositions: MOST_POSITIONS, mostPayments })
  await addPaid(transaction, from, round)
  await applyRedated(transaction, from, round)
  await moveOn(transaction, round)
  return round
}
