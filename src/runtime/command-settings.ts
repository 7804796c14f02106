import type { SettingName } from './settings.ts'

// The settings of what has no tree of its own.

/** The settings of `migrate`, which looks into `SPOOL_DIR` for the numbers that were given out. */
export const MIGRATE_SETTINGS = ['DATABASE_URL', 'SPOOL_DIR', 'LOG_LEVEL'] as const satisfies SettingName[]

/** The settings of `simulator`. */
export const SIMULATE_SETTINGS = [
  'SIMULATOR_HOST',
  'SIMULATOR_PORT',
  'SIMULATOR_CALLBACK_DELAY_MS',
  'SIMULATOR_SEED',
  'SIMULATOR_MISBEHAVIOURS',
  'LOG_LEVEL',
] as const satisfies SettingName[]

/** The settings of every command that looks into the database; some read more. */
export const COMMAND_SETTINGS = ['DATABASE_URL', 'LOG_LEVEL', 'SPOOL_DIR'] as const satisfies SettingName[]
