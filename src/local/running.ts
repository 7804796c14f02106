import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { identify, isRunning } from '../runtime/process-identity.ts'
import { readSecretFile, writeSecretFile } from './secret-file.ts'

const running = z.object({
  ready: z.literal(true),
  http_url: z.string(),
  grpc_url: z.string(),
  connect_url: z.string(),
  ops_url: z.string(),
  dispatcher_ops_url: z.string(),
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
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => null)
  if (text === null) return null
  try {
    const found = file.parse(JSON.parse(text))
    return isRunning(found.process) ? found.running : null
  } catch {
    return null
  }
}

/** Writes what runs, for this process's user alone (mode 0600), since it holds a password and a key. */
export const writeRunning = async (dataDir: string, state: Running): Promise<void> => {
  const written = `${fileIn(dataDir)}.new`
  await writeFile(written, JSON.stringify({ process: identify(process.pid), running: state }, null, 2), {
    mode: 0o600,
  })
  await chmod(written, 0o600)
  await rename(written, fileIn(dataDir))
}

const secretKeyFileIn = (dataDir: string): string => join(dataDir, 'running-secret-key')

/** The `SECRET_KEY` that the `npm start` of this DATA_DIR works with; null when it never ran. */
export const readRunningSecretKey = (dataDir: string): Promise<string | null> =>
  readSecretFile(secretKeyFileIn(dataDir))

/** Keeps the `SECRET_KEY` in use for the commands beside `npm start`, which may have been given another than the folder's. */
export const writeRunningSecretKey = (dataDir: string, secretKey: string): Promise<void> =>
  writeSecretFile(secretKeyFileIn(dataDir), secretKey)

export const removeRunning = (dataDir: string): Promise<void> => rm(fileIn(dataDir), { force: true })

/**
 * Keeps `running.json` in step with what runs, one write after the other: `refresh` writes what `describe` returns by then,
 * `close` removes it.
 */
export const keepRunningFile = async (options: {
  dataDir: string
  describe: () => Running
  say: (text: string) => void
}): Promise<{ refresh: () => void; close: () => Promise<void> }> => {
  const { dataDir, describe, say } = options
  let isClosed = false
  await writeRunning(dataDir, describe())
  let writing: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    if (!isClosed) await writeRunning(dataDir, describe())
  }
  const refresh = (): void => {
    writing = writing.then(write).catch((error: Error) => say(`cannot write running.json: ${error.message}`))
  }
  const close = async (): Promise<void> => {
    isClosed = true
    await writing
    await removeRunning(dataDir)
  }
  return { refresh, close }
}
