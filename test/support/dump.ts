import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** Every row of every table as text, bytes as hexadecimal, by table. */
export const dumpDatabase = async (database: Database): Promise<Map<string, string>> => {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
  `.execute(database)
  const dump = new Map<string, string>()
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`SELECT t::text AS row FROM ${sql.table(name)} AS t`.execute(
      database,
    )
    dump.set(name, rows.map(({ row }) => row).join('\n'))
  }
  return dump
}

/** The tables of a dump in which a text stands, as it is or as bytes. */
export const tablesWith = (dump: ReadonlyMap<string, string>, text: string): string[] => {
  const bytes = Buffer.from(text).toString('hex')
  return [...dump].filter(([, rows]) => rows.includes(text) || rows.includes(bytes)).map(([name]) => name)
}
