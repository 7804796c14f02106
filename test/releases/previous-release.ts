import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const ROOT = join(import.meta.dirname, '..', '..')

const run = promisify(execFile)

/** A release whose sources are in this repository. */
export type Release = { version: string; commit: string }

/** The release before the present one, or why it cannot be had. */
export type Found = { kind: 'found'; release: Release } | { kind: 'missing'; reason: string }

const recorded = z.record(z.string(), z.string().regex(/^[0-9a-f]{40}$/))

const manifest = z.object({ version: z.string() })

/** The commit of every release before the present one, as `releases.json` records them: for a clone without tags. */
export const readReleases = async (): Promise<Record<string, string>> =>
  recorded.parse(JSON.parse(await readFile(join(import.meta.dirname, 'releases.json'), 'utf8')))

/** The version of the present sources. */
export const presentVersion = async (): Promise<string> =>
  manifest.parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))).version

/** The release before the present one: by its tag, else by the commit that is recorded for it. */
export const findPreviousRelease = async (): Promise<Found> => {
  const present = await presentVersion()
  const releases = await readReleases()
  const version = latestBelow([...(await taggedVersions()), ...Object.keys(releases)], present)
  if (version === undefined) return { kind: 'missing', reason: `no release is known before ${present}` }
  const commit = (await commitOf(`v${version}`)) ?? (await commitOf(releases[version] ?? ''))
  if (commit !== null) return { kind: 'found', release: { version, commit } }
  return {
    kind: 'missing',
    reason: `this copy of the project has no history that reaches release ${version}`,
  }
}

/** The highest of the versions that is below one; pure. */
export const latestBelow = (versions: readonly string[], below: string): string | undefined =>
  versions
    .filter((version) => compare(version, below) < 0)
    .toSorted(compare)
    .at(-1)

const compare = (one: string, other: string): number => {
  const [numbers, others] = [one, other].map((version) => version.split('.').map(Number))
  for (const [index, number] of (numbers ?? []).entries()) {
    const difference = number - (others?.[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const git = async (...words: string[]): Promise<string | null> =>
  run('git', words, { cwd: ROOT }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  )

const taggedVersions = async (): Promise<string[]> =>
  ((await git('tag', '--list', 'v*')) ?? '')
    .split('\n')
    .filter((tag) => /^v\d+\.\d+\.\d+$/.test(tag))
    .map((tag) => tag.slice(1))

const commitOf = (name: string): Promise<string | null> =>
  name === '' ? Promise.resolve(null) : git('rev-parse', '--verify', '--quiet', `${name}^{commit}`)
