import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyPresentSources, type Sources } from './release-sources.ts'

/** A migration that processes of the release before cannot live with. */
export type BreakingMigration = {
  name: string
  statement: string
  /** What the comparison of the schemas says of it. */
  contractions: string[]
  /** What is seen under load; null where the payments of the test do not come to it. */
  breaks: RegExp | null
}

const ANSWERED_INTERNAL = /old answered 500/

export const BREAKING_MIGRATIONS: readonly BreakingMigration[] = [
  {
    name: 'renames a column',
    statement: 'ALTER TABLE payments RENAME COLUMN msisdn TO payer_msisdn',
    contractions: [
      'payments.msisdn is gone',
      'payments.payer_msisdn must be given, and the release before gives nothing',
    ],
    breaks: ANSWERED_INTERNAL,
  },
  {
    name: 'adds a column that must be given and has no default',
    statement: `DO $$ BEGIN
      ALTER TABLE idempotency_keys ADD COLUMN source text NOT NULL DEFAULT 'before';
      ALTER TABLE idempotency_keys ALTER COLUMN source DROP DEFAULT;
    END $$`,
    contractions: ['idempotency_keys.source must be given, and the release before gives nothing'],
    breaks: ANSWERED_INTERNAL,
  },
  {
    name: 'drops a table',
    statement: 'DROP TABLE daraja_budgets',
    contractions: ['shortcode', 'call', 'next_at'].map((column) => `daraja_budgets.${column} is gone`),
    breaks: /old serve ended by itself with 1/,
  },
  {
    name: 'forbids what was allowed',
    statement: "ALTER TABLE payments ADD CHECK (reference <> '') NOT VALID",
    contractions: [
      "rows must fulfil what they did not have to: payments CHECK ((reference <> ''::text)) NOT VALID",
    ],
    breaks: null,
  },
  {
    name: 'narrows a type',
    statement: 'ALTER TABLE partners ALTER COLUMN name TYPE varchar(10)',
    contractions: ['partners.name was text and is character varying(10)'],
    breaks: null,
  },
]

/** The present sources with one migration more, which runs last. */
export const withMigration = async ({ statement }: BreakingMigration): Promise<Sources> => {
  const sources = await copyPresentSources()
  const folder = join(sources.folder, 'src', 'database')
  await writeFile(
    join(folder, 'migrations', '999-breaking.ts'),
    `import { sql } from 'kysely'\nexport const up = (database) => sql\`${statement}\`.execute(database)\n`,
  )
  await edit(join(folder, 'migration-names.ts'), '] as const', (end) => `  '999-breaking',\n${end}`)
  await edit(
    join(folder, 'migrations.ts'),
    'export const MIGRATIONS: Readonly<Record<MigrationName, Migration>> = {',
    (beginning) =>
      `import * as breaking from './migrations/999-breaking.ts'\n${beginning}\n  '999-breaking': breaking,`,
  )
  return sources
}

const edit = async (path: string, part: string, toNew: (part: string) => string): Promise<void> => {
  const text = await readFile(path, 'utf8')
  if (!text.includes(part)) throw new Error(`${path} has no ${part} any more: bring this in step`)
  await writeFile(path, text.replace(part, toNew))
}
