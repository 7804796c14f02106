import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { quietLog } from '../support/core.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/** What `npm test -- test/database/columns.test.ts -u` writes. */
const FILE = '../../src/database/schema/columns.ts'

type Column = { table: string; column: string; type: string; nullable: boolean; has_default: boolean }

/** Our tables, without their partitions and without those of Kysely. */
const readColumns = async (database: Database): Promise<Column[]> => {
  const { rows } = await sql<Column>`
    SELECT relname AS "table", attname AS "column", typname AS type, NOT attnotnull AS nullable,
           atthasdef OR attidentity <> '' AS has_default
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    JOIN pg_type ON pg_type.oid = atttypid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname NOT LIKE 'kysely%' AND attnum > 0 AND NOT attisdropped
    ORDER BY relname, attnum
  `.execute(database)
  return rows
}

const readEnums = async (database: Database): Promise<Enum[]> => {
  const { rows } = await sql<Enum>`
    SELECT typname AS name, array_agg(enumlabel::text ORDER BY enumsortorder) AS labels
    FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
    WHERE typnamespace = 'public'::regnamespace
    GROUP BY typname ORDER BY typname
  `.execute(database)
  return rows
}

type Enum = { name: string; labels: string[] }

const render = (columns: readonly Column[], enums: readonly Enum[]): string => {
  const tables = [...Map.groupBy(columns, ({ table }) => table)].map(
    ([table, ofTable]) => `  ${table}: {\n${ofTable.map(renderColumn).join('')}  },\n`,
  )
  return `// Read from the migrated database: \`npm test -- test/database/columns.test.ts -u\` writes it. Do not edit.
import type { ColumnsOf, EnumLabels } from './postgres-types.ts'
import type { Schema } from './schema.ts'

/** Each column of each table: its type as Postgres calls it, whether it may be null, and whether it has a default. */
export const COLUMNS = {
${tables.join('')}} as const satisfies ColumnsOf<Schema>

/** The labels of each enum, in their order. */
export const ENUMS = {
${enums.map(renderEnum).join('')}} as const satisfies EnumLabels
`
}

const renderEnum = ({ name, labels }: Enum): string =>
  `  ${name}: { ${labels.map((label, index) => `${label}: ${index + 1}`).join(', ')} },\n`

const renderColumn = ({ column, type, nullable, has_default }: Column): string =>
  `    ${column}: '${type}${nullable ? ' null' : ''}${has_default ? ' default' : ''}',\n`

describe('the migrated database', () => {
  let own: TestDatabase
  let database: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  it('has the columns, types, defaults and enums of src/database/schema', async () => {
    const [columns, enums] = [await readColumns(database), await readEnums(database)]
    await expect(render(columns, enums)).toMatchFileSnapshot(FILE)
  })
})
