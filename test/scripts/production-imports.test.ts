import { readdir, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const ROOT = join(import.meta.dirname, '..', '..')

const IMPORT = /(?:\bfrom|\bimport)\s+'([^']+)'|\bimport\(\s*'([^']+)'/g

const specifiersIn = async (file: string): Promise<string[]> =>
  [...(await readFile(file, 'utf8')).matchAll(IMPORT)].map(([, one, other]) => one ?? other ?? '')

/** All files that production runs: the commands, and what they import, and so on. */
const productionFiles = async (): Promise<string[]> => {
  const commands = await readdir(join(ROOT, 'src', 'cli'), { recursive: true })
  const found = new Set(
    commands.filter((name) => name.endsWith('.ts')).map((name) => join(ROOT, 'src', 'cli', name)),
  )
  for (const file of found)
    for (const specifier of await specifiersIn(file))
      if (specifier.startsWith('.')) found.add(join(dirname(file), specifier))
  return [...found]
}

describe('what production runs', () => {
  it('is in src, and takes of npm start only what it wrote of itself', async () => {
    const files = (await productionFiles()).map((file) => relative(ROOT, file))
    expect(files).toContain('src/core/core.ts')
    expect(files.filter((file) => !file.startsWith('src/'))).toEqual([])
    expect(files.filter((file) => file.startsWith('src/local/'))).toEqual(['src/local/running.ts'])
  })

  it('needs no development dependency', async () => {
    const { dependencies } = z
      .object({ dependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')))
    const missing: string[] = []
    for (const file of await productionFiles())
      for (const specifier of await specifiersIn(file)) {
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
        if (!specifier.startsWith('.') && !isBuiltin(specifier) && !(name in dependencies))
          missing.push(`${relative(ROOT, file)} imports ${specifier}`)
      }
    expect(missing).toEqual([])
  })
})
