import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readLastRelease } from './last-release.ts'
import type { Outcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

/** Where the names stand that operators write down in scripts and alerts. */
const NAMES: readonly { page: string; pattern: RegExp }[] = [
  { page: 'docs/settings.md', pattern: /^\| `([A-Z][A-Z0-9_]+)`/gm },
  { page: 'docs/operations.md', pattern: /`(gateway_[a-z_]+[a-z])/g },
  { page: 'docs/commands.md', pattern: /(?<=^\|[^|]*)`(?:gateway )?([a-z][a-z -]*[a-z])`/gm },
]

const CHANGELOG = 'CHANGELOG.md'

/**
 * Holds the names of settings, metrics and commands against those of the last release: one that is gone stands under
 * "Removed" in the changelog. Skipped where the history does not reach that release.
 */
export const checkReleasedNames = async (root: string): Promise<Outcome> => {
  const release = await readLastRelease(root)
  const removed = removedIn(await readFile(join(root, CHANGELOG), 'utf8'))
  const missing: string[] = []
  for (const { page, pattern } of NAMES) {
    const { code, output } = await runCommand(root, 'git', ['show', `${release?.commit}:${page}`])
    if (code !== 0) return { kind: 'skipped', why: 'this copy has no history that reaches the last release' }
    const present = namesIn(await readFile(join(root, page), 'utf8'), pattern)
    const gone = [...namesIn(output, pattern)].filter((name) => !present.has(name) && !removed.has(name))
    missing.push(...gone.map((name) => `${page} no longer has \`${name}\` of release ${release?.version}\n`))
  }
  if (missing.length === 0) return { kind: 'passed' }
  return { kind: 'failed', output: `${missing.join('')}Keep it, or name it under "Removed" in ${CHANGELOG}.` }
}

const namesIn = (text: string, pattern: RegExp): Set<string> =>
  new Set([...text.matchAll(pattern)].map(([, name = '']) => name))

/** What the newest release of the changelog names under "Removed". */
const removedIn = (changelog: string): Set<string> => {
  const [, newest = ''] = changelog.split(/^## /m)
  const part = newest.split(/^### /m).find((one) => one.startsWith('Removed')) ?? ''
  return namesIn(part, /`(?:gateway )?([\w -]+)`/g)
}
