/**
 * The migrations of this release, in the order they run: Kysely sorts by name. Whoever asks only whether they have run
 * reads none of their sources.
 */
export const MIGRATION_NAMES = [
  '001-partners',
  '002-payments',
  '003-callbacks',
  '004-deliveries',
  '005-truth',
  '006-endpoints',
  '007-find-deliveries',
  '008-signing',
  '009-keys',
  '010-accounts',
  '011-audit',
  '012-limits',
  '013-evidence',
  '014-epochs',
  '016-edges',
  '017-reconnect',
  '018-find-payments',
  '019-partners-act',
  '020-rehearsal',
  '021-events',
  '023-duties',
  '024-room-for-versions',
  '025-operators',
  '026-situation',
  '027-exceptions',
  '028-signals',
  '029-statements',
  '030-approvals',
  '031-approvals-waiting',
  '032-find-failed',
  '033-daily-totals',
  '034-statement-counts',
  '035-dead-by-endpoint',
] as const

export type MigrationName = (typeof MIGRATION_NAMES)[number]

export const isMigrationName = (text: string): text is MigrationName =>
  MIGRATION_NAMES.some((name) => name === text)
