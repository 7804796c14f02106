import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const OXLINT = join(ROOT, 'node_modules', '.bin', 'oxlint')

/** The lines that a rule reports of a file of these lines. */
const reportedLines = async (rule: string, lines: readonly string[]): Promise<number[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'lint-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const config = {
    jsPlugins: [join(ROOT, 'scripts', 'lint', 'rules.ts')],
    categories: { correctness: 'off' },
    rules: { [rule]: 'error' },
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(join(folder, 'a.ts'), lines.join('\n'))
  const { stdout } = spawnSync(OXLINT, ['-c', 'config.json', '--format=unix', 'a.ts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return [...stdout.matchAll(/^a\.ts:(\d+):/gm)].map(([, line]) => Number(line)).sort((a, b) => a - b)
}

describe('spreads into calls', () => {
  it('are reported', async () => {
    const lines = [
      'take({ ...options, b: 2 })',
      'new Thing({ a: 1, ...options.more })',
      'take(1, { ...read() })',
    ]
    expect(await reportedLines('project/call-spreads', lines)).toEqual([1, 2, 3])
  })

  it('are not lists, values that are no argument, and properties that are written out', async () => {
    const lines = ['take(...list, [...list])', 'const value = { ...options }', 'take({ ...(b && { b }) })']
    expect(await reportedLines('project/call-spreads', lines)).toEqual([])
  })
})

describe('pauses of a fixed length', () => {
  it('are reported', async () => {
    const lines = [
      'await pause(100)',
      'await sleep(1_000)',
      'await new Promise((resolve) => setTimeout(resolve, 250))',
      'await setTimeout(500)',
    ]
    expect(await reportedLines('project/fixed-pauses', lines)).toEqual([1, 2, 3, 4])
  })

  it('are not the short ones, limits, and times from elsewhere', async () => {
    const lines = [
      'await pause(20)',
      'await vi.waitFor(check, { timeout: 5_000 })',
      'setTimeout(resolve, lengthMs)',
    ]
    expect(await reportedLines('project/fixed-pauses', lines)).toEqual([])
  })
})
