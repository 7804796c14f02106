import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const OXLINT = join(ROOT, 'node_modules', '.bin', 'oxlint')
const PLUGIN = join(ROOT, 'scripts', 'lint', 'call-spreads.ts')

/** The lines of `text` that the rule reports. */
const reportedLines = async (text: string): Promise<string[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'call-spreads-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const config = {
    jsPlugins: [PLUGIN],
    categories: { correctness: 'off' },
    rules: { 'project/call-spreads': 'error' },
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(join(folder, 'a.ts'), text)
  const { stdout } = spawnSync(OXLINT, ['-c', 'config.json', '--format=unix', 'a.ts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return stdout.split('\n').flatMap((line) => /^a\.ts:(\d+):.*call-spreads/.exec(line)?.[1] ?? [])
}

it('reports an object that is spread into a call', async () => {
  const lines = [
    'take({ ...options, b: 2 })',
    'new Thing({ a: 1, ...options.more })',
    'take(1, {\n  ...read(),\n})',
  ]
  expect(await reportedLines(lines.join('\n'))).toEqual(['1', '2', '4'])
})

it('leaves lists, values that are no argument, and properties that are written out', async () => {
  const lines = ['take(...list, [...list])', 'const value = { ...options }', 'take({ ...(b && { b }) })']
  expect(await reportedLines(lines.join('\n'))).toEqual([])
})
