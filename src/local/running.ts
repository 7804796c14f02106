import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { identify, isRunning } from '../runtime/process-identity.ts'

/** The content of a file that only this user may read; null when it is not there. */
export const readSecretFile = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Writes it whole or not at all, mode 0600. */
export const writeSecretFile = (file: string, content: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  rmSync(`${file}.new`, { force: true })
  writeFileSync(`${file}.new`, `${content}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Reads the secret, or makes it and keeps it: the same in every later run. */
export const keepSecret = (file: string, make: () => string): string => {
  const kept = readSecretFile(file)
  if (kept) return kept
  const made = make()
  writeSecretFile(file, made)
  return made
}

const running = z.object({
  ready: z.literal(true),
  http_url: z.string(),
  grpc_url: z.string(),
  connect_url: z.string(),
  ops_url: z.string(),
  dispatcher_ops_url: z.string(),
  /** Null when a release before 0.5.0 runs, which has no console; the link that signs in there once; its health and metrics. */
  console_url: z.string().nullable().default(null),
  console_sign_in_url: z.string().nullable().default(null),
  console_ops_url: z.string().nullable().default(null),
  /** Null when a given DARAJA_BASE_URL replaces the simulator. */
  simulator_url: z.string().nullable(),
  receiver_url: z.string(),
  database_url: z.string(),
  /** Null when the dispatcher works from Postgres alone. */
  nats_url: z.string().nullable(),
  /** Where `serve` keeps callbacks; null when a release before 0.2.0 runs, which does not write it. */
  spool_dir: z.string().nullable().default(null),
  api_key: z.string(),
  /** The processes of ours by name. */
  pids: z.record(z.string(), z.number()),
})

/** What `npm start` reports when it is ready: its one line with `--json`, and `running.json` in its DATA_DIR. */
export type Running = z.output<typeof running>

const file = z.object({
  process: z.object({ pid: z.number(), startedAt: z.string() }),
  running,
})

const fileIn = (dataDir: string): string => join(dataDir, 'running.json')

/** The `npm start` that runs now with this DATA_DIR, or null: also when the one that wrote the file is gone. */
export const readRunning = async (dataDir: string): Promise<Running | null> => {
  try {
    const found = file.parse(JSON.parse(await readFile(fileIn(dataDir), 'utf8')))
    return isRunning(found.process) ? found.running : null
  } catch {
    return null
  }
}

/** Writes what runs, for this process's user alone (mode 0600), since it holds a password and a key. */
export const writeRunning = (dataDir: string, state: Running): void => {
  const content = { process: identify(process.pid), running: state }
  writeSecretFile(fileIn(dataDir), JSON.stringify(content, null, 2))
}

export const removeRunning = (dataDir: string): void => rmSync(fileIn(dataDir), { force: true })

const secretKeyFileIn = (dataDir: string): string => join(dataDir, 'running-secret-key')

/** The `SECRET_KEY` that the `npm start` of this DATA_DIR works with; null when it never ran. */
export const readRunningSecretKey = async (dataDir: string): Promise<string | null> =>
  readSecretFile(secretKeyFileIn(dataDir))

/**
 * Keeps the `SECRET_KEY` in use for the commands beside `npm start`, which may have been given another than the
 * folder's.
 */
export const writeRunningSecretKey = (dataDir: string, secretKey: string): void =>
  writeSecretFile(secretKeyFileIn(dataDir), secretKey)

const settingsFileIn = (dataDir: string): string => join(dataDir, 'running-settings.json')

/** The settings that the `npm start` of this DATA_DIR works with, but for secrets; none when it never ran. */
export const readRunningSettings = (dataDir: string): Record<string, string> => {
  const kept = readSecretFile(settingsFileIn(dataDir))
  return kept === null ? {} : z.record(z.string(), z.string()).parse(JSON.parse(kept))
}

/** Keeps the settings in use for the commands beside `npm start`. */
export const writeRunningSettings = (dataDir: string, settings: Record<string, string>): void =>
  writeSecretFile(settingsFileIn(dataDir), JSON.stringify(settings, null, 2))
