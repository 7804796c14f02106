import { sql } from 'kysely'
import { createDueAccounts } from '../src/core/payments/due-accounts.ts'
import type { Database } from '../src/database/connect.ts'
import { FROM_BEGINNING } from '../src/database/look-back.ts'
import { findOverdue } from '../src/dispatcher/deliver/recover.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { growDatabase } from './support/grown-database.ts'
import { printTable } from './support/report.ts'
import { countBlocks, forgetStatements, sumOfBlocks } from './support/statement-blocks.ts'
import { COUNT_STATEMENTS } from './support/whole/profile.ts'

const TABLES = ['to_submit', 'to_query', 'to_confirm', 'to_interpret', 'to_deliver'] as const

const PARTS = 10

/** Duties that are written together, as payments in a batch are. */
const TOGETHER = 40

/** Batches whose duties are open at once: 25 s of 200 payments a second. */
const OPEN = 125

/** Postgres looks once a minute what is to be vacuumed; here an hour passes in a few minutes. */
const POSTGRES = { ...COUNT_STATEMENTS, autovacuum_naptime: '4s', synchronous_commit: 'off' }

/**
 * `npm run bench duties`: so many duties through each of their tables, made, leased and ended in transactions of their
 * own, as fast as it goes. Printed for each tenth are blocks a duty, the dead rows and sizes at its end, and the blocks
 * that the looks at what is due then take from the very beginning: none of it is to grow.
 */
export const benchDuties = async (options: { duties: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({
    partners: 1,
    say,
    postgresSettings: POSTGRES,
    isFresh: true,
  })
  const { database } = await growDatabase(services, { partners: 1, payments: 0 })
  const rows: Record<string, string>[] = []
  try {
    const batches = Math.ceil(options.duties / TOGETHER / PARTS)
    await passDuties(database, { from: 0, until: 2 * OPEN })
    for (let part = 1; part <= PARTS; part += 1) {
      await forgetStatements(database)
      const beganMs = performance.now()
      const from = 2 * OPEN + (part - 1) * batches
      await passDuties(database, { from, until: from + batches })
      const blocks = sumOfBlocks(await countBlocks(database)) / (batches * TOGETHER)
      const row = {
        tenth: `${part}`,
        'a second': ((batches * TOGETHER * 1000) / (performance.now() - beganMs)).toFixed(0),
        'blocks a duty': blocks.toFixed(1),
        'blocks of looks': (await looksFromBeginning(database)).join(' + '),
        ...(await sizesOf(database)),
      }
      rows.push(row)
      say(JSON.stringify(row))
    }
    printTable(rows)
  } finally {
    await database.destroy()
    await services.stop()
  }
}

/** A statement's dead rows are counted when it has ended: autovacuum is to see them while they are made. */
const BATCHES_A_STATEMENT = 25

/** Has the duties of some batches made and leased, and those of the batches before these ended. */
const passDuties = async (database: Database, { from, until }: { from: number; until: number }) => {
  for (let next = from; next < until; next += BATCHES_A_STATEMENT)
    await passSome(database, { from: next, until: Math.min(until, next + BATCHES_A_STATEMENT) })
}

const passSome = (database: Database, { from, until }: { from: number; until: number }) =>
  sql`
    DO $$
    DECLARE made bigint[]; old bigint[];
    BEGIN
      FOR batch IN ${sql.lit(from)}..${sql.lit(until - 1)} LOOP
        made := ARRAY(SELECT -(batch::bigint * ${sql.lit(TOGETHER)} + nth) FROM generate_series(1, ${sql.lit(TOGETHER)}) AS nth);
        old := ARRAY(SELECT id + ${sql.lit(OPEN * TOGETHER)} FROM unnest(made) AS id);
        INSERT INTO to_submit (payment_id) SELECT unnest(made);
        COMMIT;
        UPDATE to_submit SET leased_until = now() + interval '1 minute', takes = takes + 1 WHERE payment_id = ANY (made);
        COMMIT;
        DELETE FROM to_submit WHERE payment_id = ANY (made);
        INSERT INTO to_query (payment_id, due_at) SELECT unnest(made), now() + interval '90 seconds';
        INSERT INTO to_confirm (payment_id, due_at) SELECT unnest(made), now() + interval '90 seconds';
        COMMIT;
        DELETE FROM to_query WHERE payment_id = ANY (old);
        DELETE FROM to_confirm WHERE payment_id = ANY (old);
        INSERT INTO to_interpret (callback_id, received_at)
        SELECT (lpad(to_hex(1700000000000 - id), 12, '0') || '70008000000000000000')::uuid, now() FROM unnest(old) AS id;
        COMMIT;
        DELETE FROM to_interpret WHERE callback_id = ANY (ARRAY(
          SELECT (lpad(to_hex(1700000000000 - id), 12, '0') || '70008000000000000000')::uuid FROM unnest(old) AS id
        ));
        INSERT INTO to_deliver (delivery_id, partner_id, host, publish_at)
        SELECT unnest(old), 1, 'shop.co.ke', now() + interval '120 seconds';
        COMMIT;
        UPDATE to_deliver SET leased_until = now() + interval '1 minute' WHERE delivery_id = ANY (old);
        COMMIT;
        DELETE FROM to_deliver WHERE delivery_id = ANY (old);
        COMMIT;
      END LOOP;
    END $$
  `.execute(database)

/** Blocks of the looks at what is to be submitted, queried, confirmed and delivered, each from the very beginning. */
const looksFromBeginning = async (database: Database): Promise<number[]> => {
  const nowMs = (): number => performance.now()
  const looks = [
    createDueAccounts('to_submit', { database, nowMs }),
    createDueAccounts('to_query', { database, nowMs }),
    createDueAccounts('to_confirm', { database, nowMs }),
    () => findOverdue(database, { limit: 256, overdueMs: 0, except: [], look: FROM_BEGINNING }),
  ]
  const blocks: number[] = []
  for (const look of looks) {
    // What the first on a connection reads of the catalog is not counted.
    await look()
    await forgetStatements(database)
    await look()
    blocks.push(sumOfBlocks(await countBlocks(database)))
  }
  return blocks
}

const sizesOf = async (database: Database): Promise<Record<string, string>> => {
  const { rows } = await sql<{ name: string; dead: number; table: number; indexes: number }>`
    SELECT relname AS name, n_dead_tup::float8 AS dead, pg_relation_size(relid)::float8 / 1024 AS "table",
           pg_indexes_size(relid)::float8 / 1024 AS indexes
    FROM pg_stat_user_tables WHERE relname = ANY (${[...TABLES]}::text[]) ORDER BY relname
  `.execute(database)
  return Object.fromEntries(
    rows.map(({ name, dead, table, indexes }) => [
      name,
      `${dead} dead, ${Math.round(table)} + ${Math.round(indexes)} kB`,
    ]),
  )
}
