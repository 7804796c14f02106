import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { findOnPath, searchPathOf, unpackPackages } from '../../src/local/nats-server.ts'

const FETCH_TIMEOUT_MS = 120_000

/** A program, or why there is none. */
export type Found = { file: string; why: null } | { file: null; why: string }

/**
 * Prometheus's tool for rules: on PATH, else in `.data/bin`, else taken out of Debian's package into it. Prometheus
 * itself is neither installed nor started.
 */
export const findPromtool = async (root: string): Promise<Found> => {
  const binFolder = join(root, '.data', 'bin')
  const searchPath = searchPathOf(process.env)
  const found = await findOnPath('promtool', `${searchPath}${delimiter}${binFolder}`)
  if (found !== null) return { file: found, why: null }
  const install = 'install it: apt-get install prometheus'
  if ((await findOnPath('apt-get', searchPath)) === null)
    return { file: null, why: `there is no promtool; ${install}` }
  try {
    return { file: await fetchInto(binFolder), why: null }
  } catch (error) {
    return {
      file: null,
      why: `there is no promtool, and apt-get cannot fetch it; ${install} (${String(error)})`,
    }
  }
}

const fetchInto = async (binFolder: string): Promise<string> => {
  await mkdir(binFolder, { recursive: true })
  const folder = await mkdtemp(join(binFolder, 'fetch-'))
  try {
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    await unpackPackages({ packages: ['prometheus'], folder, signal })
    const program = join(binFolder, 'promtool')
    await rename(join(folder, 'usr', 'bin', 'promtool'), program)
    return program
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
