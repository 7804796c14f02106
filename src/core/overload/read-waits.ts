import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { HELD_UNTIL } from '../daraja/back-off.ts'
import { createDueAccounts, type DueAccount } from '../payments/due-accounts.ts'
import type { Overload, Wait } from './overload.ts'

/** How often it is looked, ms, while anything waits that this process accepted. */
const LOOK_MS = 250

/** Looks at what waits for its push, and tells `overload`. */
export const startWatchingWaits = (options: {
  database: Database
  overload: Overload
  /** The shortcode of the default account. */
  shortcode: string
  nowMs: () => number
  log: Log
}): Loop => {
  const { overload } = options
  const readWaits = createWaitReader(options)
  return startLoop({
    name: 'overload',
    idleMs: LOOK_MS,
    round: async () => {
      overload.observe(overload.isConcerned() ? await readWaits() : new Map())
      return false
    },
    isOutage,
    log: options.log,
  })
}

/**
 * Makes what reads what waits of each account, whichever process accepted it: a look at the index for each, from where
 * the last one came to.
 */
export const createWaitReader = (options: {
  database: Database
  shortcode: string
  nowMs: () => number
}): (() => Promise<Map<bigint, Wait>>) => {
  const findDueAccounts = createDueAccounts('to_submit', options)
  return async () => toWaits(options, await findDueAccounts())
}

const toWaits = async (
  { database, shortcode }: { database: Database; shortcode: string },
  due: readonly DueAccount[],
): Promise<Map<bigint, Wait>> => {
  if (due.length === 0) return new Map()
  const { rows } = await sql<{ account_id: bigint; waited_ms: number; is_held: boolean }>`
    SELECT account_id, (extract(epoch FROM now() - since) * 1000)::float8 AS waited_ms, EXISTS (
      SELECT FROM daraja_accounts
      WHERE account_id >= 0 AND ${HELD_UNTIL} > now() AND shortcode = coalesce(
        (SELECT own.shortcode FROM partner_accounts own WHERE own.id = account_id), ${shortcode}
      )
    ) AS is_held
    FROM unnest(
      ${due.map(({ accountId }) => accountId)}::bigint[], ${due.map(({ since }) => since)}::timestamptz[]
    ) AS due (account_id, since)
  `.execute(database)
  return new Map(
    rows.map(({ account_id, waited_ms, is_held }) => [
      account_id,
      { waitedMs: Math.max(1, waited_ms), isHeld: is_held },
    ]),
  )
}
