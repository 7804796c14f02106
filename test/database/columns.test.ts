import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

/** What `npm test -- test/database/columns.test.ts -u` writes. */
const FILE = 'src/database/schema/columns.ts'

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

const ROOT = join(import.meta.dirname, '..', '..')

/** What the compiler says of a file and of all that it imports; nothing when it is content. */
const compile = async (file: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'columns-'))
  try {
    const project = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules', '@types')] },
      include: [],
      files: [file],
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project))
    const tsc = promisify(execFile)(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder])
    return (await tsc.catch((failed: { stdout: string }) => failed)).stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the migrated database', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 1 })
    database = own.database
  })
  afterAll(() => own.close())

  it('has the columns and enums that the schema was read from', async () => {
    const text = render(await readColumns(database), await readEnums(database))
    await expect(text).toMatchFileSnapshot(join(ROOT, FILE))
  })

  it('is what the types of the schema say: names, types, nulls, defaults and labels', async () => {
    expect(await compile(join(ROOT, FILE))).toBe('')
  })
})
