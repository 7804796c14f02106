import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The releases, oldest first, with the commit of each. */
const RELEASES = join('test', 'releases', 'releases.json')

/** A release as the project recorded it. */
export type Release = { version: string; commit: string }

/** The last release that is recorded, which everything is held against; null where none is. */
export const readLastRelease = async (root: string): Promise<Release | null> => {
  const text = await readFile(join(root, RELEASES), 'utf8').catch(() => '{}')
  const releases: Record<string, string> = JSON.parse(text)
  const [version, commit] = Object.entries(releases).at(-1) ?? []
  return version === undefined || commit === undefined ? null : { version, commit }
}
