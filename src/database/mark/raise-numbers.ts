import { sql } from 'kysely'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Database } from '../connect.ts'
import { ensurePartitionsOf } from '../partitions.ts'
import type { Numbers } from './mark.ts'

/**
 * Lets sequences give no number up to `lowest` any more; one that is above already stays. What the numbers that follow need
 * is made before. Safe to repeat, and to run from many places at once, beside processes that give numbers out.
 */
export const raiseNumbers = async (database: Database, lowest: Numbers): Promise<void> => {
  crashPoint('raise_numbers.before_commit')
  await ensurePartitionsOf(database, lowest)
  for (const [sequence, number] of Object.entries(lowest)) {
    // One statement each: a transaction with several would wait for one that drew the same numbers in another order.
    await sql`SELECT raise_sequence(${sequence}::text::regclass, ${number})`.execute(database)
  }
  crashPoint('raise_numbers.after_commit')
}
