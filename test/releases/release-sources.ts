import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { TESTED_GATEWAY } from '../support/tested-gateway.ts'
import type { Release } from './previous-release.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const run = promisify(execFile)

/** The sources of a release in a folder of their own, with what they depend on. */
export type Sources = { folder: string; main: string; delete(): Promise<void> }

/** Takes the sources of a release out of git, and gives them their dependencies. */
export const takeSources = async ({ commit, version }: Release): Promise<Sources> => {
  const folder = await mkdtemp(join(tmpdir(), `release-${version}-`))
  const archive = join(folder, 'sources.tar')
  await run('git', ['archive', '--output', archive, commit], { cwd: ROOT })
  await run('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
  await giveDependencies(folder)
  return sourcesIn(folder)
}

/** Copies the present sources, to be changed. */
export const copyPresentSources = async (): Promise<Sources> => {
  const folder = await mkdtemp(join(tmpdir(), 'release-present-'))
  for (const name of ['src', 'scripts', 'package.json', 'package-lock.json']) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return sourcesIn(folder)
}

/** The present release, where it is. */
export const PRESENT: Omit<Sources, 'delete'> = { folder: ROOT, main: TESTED_GATEWAY }

const sourcesIn = (folder: string): Sources => ({
  folder,
  main: join(folder, 'src', 'cli', 'main.ts'),
  delete: () => rm(folder, { recursive: true, force: true }),
})

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
