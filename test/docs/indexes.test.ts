import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const DOCS = join(import.meta.dirname, '..', '..', 'docs')

const pagesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.md') && name !== 'README.md').sort()

/** The targets of an index's links, in the order of their names. */
const linkedFrom = async (index: string): Promise<string[]> =>
  [...(await readFile(index, 'utf8')).matchAll(/\]\(([\w.-]+\.md)\)/g)]
    .map(([, target]) => target ?? '')
    .sort()

describe('an index of pages', () => {
  it.each([
    ['of the documentation', DOCS],
    ['of the decisions', join(DOCS, 'decisions')],
    ['of the runbooks', join(DOCS, 'runbooks')],
  ])('%s lists every page once', async (_what, folder) => {
    expect(await linkedFrom(join(folder, 'README.md'))).toEqual(await pagesIn(folder))
  })
})
