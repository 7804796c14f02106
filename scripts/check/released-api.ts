import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { API_DOCUMENT } from './api-document.ts'
import { readLastRelease } from './last-release.ts'
import { type Outcome, toOutcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

/**
 * Holds the OpenAPI document against that of the last release: what a partner's program relies on may be added to, and
 * not taken away or narrowed (`redocly diff`). Skipped where the history does not reach that release.
 */
export const checkReleasedApi = async (root: string): Promise<Outcome> => {
  const released = await readReleased(root)
  if (released === null)
    return { kind: 'skipped', why: 'this copy has no history that reaches the last release' }
  return compareDocuments(root, released, await readFile(join(root, API_DOCUMENT), 'utf8'))
}

/** Compares two documents, the released one first. */
export const compareDocuments = async (root: string, released: string, present: string): Promise<Outcome> => {
  const folder = await mkdtemp(join(tmpdir(), 'mpesa-gateway-api-'))
  try {
    const files = [join(folder, 'released.json'), join(folder, 'present.json')] as const
    await writeFile(files[0], withoutWords(released))
    await writeFile(files[1], withoutWords(present))
    return toOutcome(await runCommand(root, 'redocly', ['diff', ...files, '--config', 'redocly.yaml']))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const readReleased = async (root: string): Promise<string | null> => {
  const release = await readLastRelease(root)
  const { code, output } = await runCommand(root, 'git', ['show', `${release?.commit}:${API_DOCUMENT}`])
  return code === 0 ? output : null
}

/** Read by people alone, or another in each installation; a parameter with other words would count as another one. */
const WORDS: ReadonlySet<string> = new Set([
  'description',
  'summary',
  'example',
  'examples',
  'externalDocs',
  'tags',
  'servers',
  'info',
])

const withoutWords = (document: string): string => {
  const stripped = strip(JSON.parse(document))
  return JSON.stringify(Object.assign({ info: { title: 'API', version: '1' } }, stripped), null, 2)
}

/** What stands below `properties` are names of fields, whatever they are called. */
const strip = (value: unknown, areNames = false): unknown => {
  if (Array.isArray(value)) return value.map((item) => strip(item))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([name]) => areNames || !WORDS.has(name))
  return Object.fromEntries(
    kept.map(([name, member]) => [name, strip(member, name === 'properties' && !areNames)]),
  )
}
