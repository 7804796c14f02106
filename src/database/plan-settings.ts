/**
 * Settings of Postgres under which a statement is planned once a connection, and looks up each row by an index however
 * large the tables are. What is best for tables that are empty, as they are to Postgres in a database that has just
 * been made and in each new partition, is to read them whole, and that plan would stay.
 */
export const PLANNED_BY_INDEX = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  max_parallel_workers_per_gather: '0',
  // Else Postgres plans anew for each array that it is given, to find the same plan.
  plan_cache_mode: 'force_generic_plan',
}

/** Settings of Postgres under which a statement is planned for how much it is to read: Postgres' own. */
export const PLANNED_BY_SIZE: Record<keyof typeof PLANNED_BY_INDEX, string> = {
  enable_seqscan: 'on',
  enable_bitmapscan: 'on',
  enable_hashjoin: 'on',
  enable_mergejoin: 'on',
  max_parallel_workers_per_gather: '2',
  plan_cache_mode: 'auto',
}
