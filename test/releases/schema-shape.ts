import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** A column as whoever writes rows sees it. */
type Column = { type: string; isNullable: boolean; hasDefault: boolean }

/** What statements of a release rest on. */
export type SchemaShape = {
  /** By `table.column`. Partitions are as their table is. */
  columns: Map<string, Column>
  /** What rows must fulfil: checks, unique and foreign keys, by table and definition. */
  constraints: Set<string>
  /** The values of enumerated types, `type.value`. */
  values: Set<string>
}

/** Reads the shape of everything in the schema of the gateway. */
export const readShape = async (database: Database): Promise<SchemaShape> => {
  const { rows: columns } = await sql<{ name: string; type: string; nullable: boolean; filled: boolean }>`
    SELECT relname || '.' || attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable,
           atthasdef OR attidentity <> '' OR attgenerated <> '' AS filled
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
      AND attnum > 0 AND NOT attisdropped
  `.execute(database)
  const { rows: constraints } = await sql<{ text: string }>`
    SELECT relname || ' ' || pg_get_constraintdef(pg_constraint.oid) AS text
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE connamespace = 'public'::regnamespace AND NOT relispartition AND contype IN ('c', 'u', 'p', 'f', 'x')
    UNION ALL
    SELECT relname || ' UNIQUE INDEX ' || regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '')
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE indisunique AND relnamespace = 'public'::regnamespace AND NOT relispartition
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
  `.execute(database)
  const { rows: values } = await sql<{ text: string }>`
    SELECT typname || '.' || enumlabel AS text FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
    WHERE typnamespace = 'public'::regnamespace
  `.execute(database)
  return {
    columns: new Map(
      columns.map(({ name, type, nullable, filled }) => [
        name,
        { type, isNullable: nullable, hasDefault: filled },
      ]),
    ),
    constraints: new Set(constraints.map(({ text }) => text)),
    values: new Set(values.map(({ text }) => text)),
  }
}

/** What a release that knows `before` could not live with in `after`, a sentence each; pure. */
export const contractionsOf = (before: SchemaShape, after: SchemaShape): string[] => {
  const known = new Set([...before.columns.keys()].map(tableOf))
  const gone = [...before.columns].flatMap(([name, column]) =>
    changeOf(name, column, after.columns.get(name)),
  )
  const demanded = [...after.columns]
    .filter(([name]) => known.has(tableOf(name)) && !before.columns.has(name))
    .filter(([, column]) => !column.isNullable && !column.hasDefault)
    .map(([name]) => `${name} must be given, and the release before gives nothing`)
  const stricter = [...after.constraints]
    .filter((constraint) => known.has(constraint.split(' ')[0] ?? '') && !before.constraints.has(constraint))
    .map((constraint) => `rows must fulfil what they did not have to: ${constraint}`)
  const values = [...before.values]
    .filter((value) => !after.values.has(value))
    .map((value) => `the value ${value} is gone`)
  return [...gone, ...demanded, ...stricter, ...values]
}

const changeOf = (name: string, before: Column, after: Column | undefined): string[] => {
  if (after === undefined) return [`${name} is gone`]
  if (after.type !== before.type) return [`${name} was ${before.type} and is ${after.type}`]
  if (before.isNullable && !after.isNullable) return [`${name} may be null no more`]
  if (before.hasDefault && !after.hasDefault && !after.isNullable) return [`${name} has its default no more`]
  return []
}

const tableOf = (column: string): string => column.split('.')[0] ?? ''
