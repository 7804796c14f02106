import { type Running, removeRunning, writeRunning } from './running.ts'

/** Keeps `running.json` in step with what runs. */
export type Registry = {
  /** Writes what `describe` tells, now and at each `refresh`. */
  readonly open: (describe: () => Running) => Promise<void>
  readonly refresh: () => void
  readonly close: () => Promise<void>
}

export const createRegistry = (options: { dataDir: string; say: (text: string) => void }): Registry => {
  const { dataDir, say } = options
  let describe: (() => Running) | null = null
  let writing: Promise<void> = Promise.resolve()

  const refresh = (): void => {
    if (describe === null) return
    const state = describe()
    writing = writing
      .then(() => writeRunning(dataDir, state))
      .catch((error: Error) => say(`cannot write running.json: ${error.message}`))
  }
  const open = async (describeNow: () => Running): Promise<void> => {
    describe = describeNow
    await writeRunning(dataDir, describe())
  }
  const close = async (): Promise<void> => {
    describe = null
    await writing
    await removeRunning(dataDir)
  }
  return { open, refresh, close }
}
