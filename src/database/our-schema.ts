import { sql } from 'kysely'

/**
 * The schema in which the tables are, as `relnamespace` has it: `public`, unless an administrator gave the gateway one of its
 * own by `search_path`. A statement fails with it where there are no tables yet.
 */
export const ourSchema = sql<string>`(SELECT relnamespace FROM pg_class WHERE oid = 'payments'::regclass)`
