import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findOnPath, searchPathOf, unpackPackages } from '../../src/local/nats-server.ts'

const run = promisify(execFile)

/** A PHP that can be run: its file, and what its libraries need of the environment. */
export type Php = { file: string; environment: Record<string, string> }

const FETCH_TIMEOUT_MS = 60_000

/** Where a PHP that was fetched is kept for the next run. */
const KEPT = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'php')

/**
 * The machine's PHP, else one taken out of the packages of its apt, without installing anything; null when there is none to be
 * had.
 */
export const findPhp = async (): Promise<Php | null> => {
  const searchPath = searchPathOf(process.env)
  const installed = await findOnPath('php', searchPath)
  if (installed !== null) return { file: installed, environment: {} }
  const kept = await phpIn(KEPT)
  if (kept !== null || (await findOnPath('apt-get', searchPath)) === null) return kept
  try {
    await fetchPhp(AbortSignal.timeout(FETCH_TIMEOUT_MS))
    return await phpIn(KEPT)
  } catch {
    return null
  }
}

/** The PHP of unpacked packages in the folder, if it runs. */
const phpIn = async (folder: string): Promise<Php | null> => {
  const programs = await readdir(join(folder, 'usr', 'bin')).catch(() => [])
  const name = programs.find((one) => /^php\d/.test(one))
  const libraries = (await readdir(join(folder, 'usr', 'lib')).catch(() => [])).find((one) =>
    one.endsWith('-linux-gnu'),
  )
  if (name === undefined || libraries === undefined) return null
  const php = {
    file: join(folder, 'usr', 'bin', name),
    environment: { LD_LIBRARY_PATH: join(folder, 'usr', 'lib', libraries) },
  }
  const answer = run(php.file, ['-n', '-v'], { env: php.environment })
  return answer.then(
    () => php,
    () => null,
  )
}

const fetchPhp = async (signal: AbortSignal): Promise<void> => {
  const [php = ''] = await dependenciesOf(['php-cli'], /^php[\d.]+-cli$/)
  const libraries = await dependenciesOf([php, 'libxml2'], /^lib(?!c6$)/)
  await mkdir(join(KEPT, '..'), { recursive: true })
  const folder = await mkdtemp(`${KEPT}-`)
  try {
    await unpackPackages({ packages: [...new Set([php, ...libraries])], folder, signal })
    // Whole or not at all, and whoever was faster keeps his.
    await rename(folder, KEPT).catch(() => access(KEPT))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const dependenciesOf = async (packages: readonly string[], wanted: RegExp): Promise<string[]> => {
  const { stdout } = await run('apt-cache', ['depends', ...packages])
  return [...stdout.matchAll(/^ {2}Depends: (\S+)$/gm)].flatMap(([, name = '']) =>
    wanted.test(name) ? [name] : [],
  )
}
