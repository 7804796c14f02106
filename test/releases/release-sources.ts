import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { bundleGateway } from '../../scripts/bundle/make.ts'
import { takeLock } from '../../src/local/process-lock.ts'
import { eventually } from '../support/eventually.ts'
import { TESTED_GATEWAY } from '../support/tested-gateway.ts'
import type { Release } from './previous-release.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Releases that were taken out of git, by their commits. */
const TAKEN = join(ROOT, '.data', 'test-releases')

/** How long npm may take to install what a release depends on, ms. */
const INSTALLED_WITHIN_MS = 170_000

const run = promisify(execFile)

/** A release that can be started: `main` is its `gateway`. */
export type Startable = { main: string }

/** Changed sources in a folder of their own, with what they depend on. */
export type Sources = Startable & { folder: string; delete(): Promise<void> }

/**
 * Takes a release out of git, gives it its dependencies, and bundles it, as the suite's own gateway is. It is done once, and kept
 * for the next run: a test file that needs it meanwhile waits.
 */
export const takeRelease = async ({ commit }: Release): Promise<Startable> => {
  const folder = join(TAKEN, commit)
  const release = await eventually(() => lock(`${folder}.lock`), INSTALLED_WITHIN_MS)
  try {
    if (!(await isWhole(folder))) await take(commit, folder)
    return { main: await bundleGateway(folder) }
  } finally {
    release()
  }
}

const lock = (file: string): (() => void) => {
  const { release, heldBy } = takeLock(file)
  if (release === null) throw new Error(`process ${heldBy} still has ${file}`)
  return release
}

/** Written last. */
const wholeMark = (folder: string): string => join(folder, '.whole')

const isWhole = (folder: string): Promise<boolean> =>
  stat(wholeMark(folder)).then(
    () => true,
    () => false,
  )

const take = async (commit: string, folder: string): Promise<void> => {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const archive = join(folder, 'sources.tar')
  await run('git', ['archive', '--output', archive, commit], { cwd: ROOT })
  await run('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
  await giveDependencies(folder)
  await writeFile(wholeMark(folder), '')
}

/** Copies the present sources, to be changed. */
export const copyPresentSources = async (): Promise<Sources> => {
  const folder = await mkdtemp(join(tmpdir(), 'release-present-'))
  for (const name of ['src', 'scripts', 'package.json', 'package-lock.json']) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    main: join(folder, 'src', 'cli', 'main.ts'),
    delete: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The present release, where it is. */
export const PRESENT: Startable = { main: TESTED_GATEWAY }

/** Shares what is installed here where that is what the release has locked; else installs what it has. */
const giveDependencies = async (folder: string): Promise<void> => {
  if (isPartOf(await readLocked(folder), await readLocked(ROOT))) {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    return
  }
  await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder })
}

const lockFile = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), dev: z.boolean().optional() })),
})

/** The versions of what runs, by the place where it is installed. */
const readLocked = async (folder: string): Promise<Map<string, string>> => {
  const { packages } = lockFile.parse(JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')))
  const running = Object.entries(packages).filter(([place, one]) => place !== '' && one.dev !== true)
  return new Map(running.map(([place, one]) => [place, one.version ?? '']))
}

const isPartOf = (needed: ReadonlyMap<string, string>, there: ReadonlyMap<string, string>): boolean =>
  [...needed].every(([place, version]) => there.get(place) === version)
