import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { latestBelow, presentVersion, readReleases } from './previous-release.ts'

/** The versions of the headings of CHANGELOG.md, the latest first; the day of each, null where it has none. */
const readChangelog = async (): Promise<{ version: string; day: string | null }[]> => {
  const text = await readFile(join(import.meta.dirname, '..', '..', 'CHANGELOG.md'), 'utf8')
  return [...text.matchAll(/^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$/gm)].map(([, version = '', day]) => ({
    version,
    day: day ?? null,
  }))
}

describe('the release before', () => {
  it('is the highest below the present one, by numbers', () => {
    expect(latestBelow(['0.1.0', '0.10.0', '0.9.3', '0.2.0'], '0.10.0')).toBe('0.9.3')
    expect(latestBelow(['0.2.0', '1.0.0'], '1.0.1')).toBe('1.0.0')
    expect(latestBelow(['0.2.0'], '0.2.0')).toBeUndefined()
  })

  it('of each but the latest the commit is recorded, and each has its heading and its day in the changelog', async () => {
    const headings = await readChangelog()
    expect(headings[0]?.version).toBe(await presentVersion())
    expect(headings.slice(1).map(({ version }) => version)).toEqual(
      Object.keys(await readReleases()).toReversed(),
    )
    for (const { version, day } of headings) expect([version, day]).toEqual([version, expect.any(String)])
  })
})
