import type { Mutant } from './mutant.ts'

const COLUMNS = 'test/database/columns.test.ts'

/** What keeps statements and types in step with the database: without it a renamed column shows when somebody pays. */
export const SCHEMA_MUTANTS: readonly Mutant[] = [
  {
    name: 'a column is renamed in the types alone',
    law: 1,
    file: 'src/database/schema/payments.ts',
    changes: [{ find: '  result_desc: string | null', replace: '  result_text: string | null' }],
    killedBy: { file: COLUMNS, test: 'is what the types of the schema say' },
  },
  {
    name: 'a column is renamed in a migration alone',
    law: 1,
    file: 'src/database/migrations/002-payments.ts',
    changes: [{ find: '      result_desc text,', replace: '      result_text text,' }],
    killedBy: { file: COLUMNS, test: 'has the columns and enums that the schema was read from' },
  },
  {
    name: 'an enum has a label that the types do not know',
    law: 4,
    file: 'src/database/schema/payments.ts',
    changes: [{ find: "  | 'unconfirmed'\n", replace: '' }],
    killedBy: { file: COLUMNS, test: 'is what the types of the schema say' },
  },
]
