import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type TestFolder = {
  path: string
  /** Deletes it with all that is in it. */
  close: () => Promise<void>
}

/** Makes an empty folder. */
export const openTestFolder = async (): Promise<TestFolder> => {
  const path = await mkdtemp(join(tmpdir(), 'gateway-test-'))
  return { path, close: () => rm(path, { recursive: true, force: true }) }
}
