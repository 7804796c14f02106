import { execFile } from 'node:child_process'
import { appendFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundlesOf, ENTRY } from '../../scripts/bundle/place.mjs'
import { quickenCommands } from '../../src/local/quick-commands.ts'
import { copyPresentSources, type Sources } from '../releases/release-sources.ts'

let sources: Sources
beforeAll(async () => {
  sources = await copyPresentSources()
})
afterAll(() => sources?.delete())

const typed = async (...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)('node', ['scripts/run.mjs', 'gateway', ...args], {
    cwd: sources.folder,
  })
  return stdout
}

const bundles = (): Promise<string[]> => readdir(bundlesOf(sources.folder))

const quicken = async (root: string, stopping = new AbortController().signal): Promise<string[]> => {
  const said: string[] = []
  await quickenCommands({ root, say: (text) => said.push(text), stopping })
  return said
}

// Each of them goes on from where the one before has left the sources.
describe('a command of npm run gateway', { timeout: 120_000 }, () => {
  it('starts from the sources where nobody has bundled them', async () => {
    expect(await typed('payments', '--help')).toContain('Usage: gateway payments')
    await expect(bundles()).rejects.toThrow('ENOENT')
  })

  it('starts from the bundle that npm start makes, and says the same', async () => {
    const fromSources = await typed('payments', '--help')
    expect(await quicken(sources.folder)).toEqual([])
    const [made = ''] = await bundles()
    expect(await typed('payments', '--help')).toBe(fromSources)
    await writeFile(join(bundlesOf(sources.folder), made, ENTRY), `process.stdout.write('from the bundle')`)
    expect(await typed('payments', '--help')).toBe('from the bundle')
  })

  it('starts from the sources again when one of them has changed, until they are bundled anew', async () => {
    await appendFile(join(sources.folder, 'src', 'cli', 'main.ts'), `process.stdout.write('changed')\n`)
    expect(await typed('payments', '--help')).toMatch(/^Usage: gateway payments[^]*changed$/)
    expect(await quicken(sources.folder)).toEqual([])
    expect(await bundles()).toHaveLength(2)
    expect(await typed('payments', '--help')).toMatch(/^Usage: gateway payments[^]*changed$/)
  })

  it('starts all the same where no bundle can be made, which is said once', async () => {
    await writeFile(join(sources.folder, 'scripts', 'bundle.ts'), `throw new Error('no room')`)
    expect(await quicken(sources.folder)).toEqual([
      expect.stringMatching(/^commands start from the sources, since [^]*no room/),
    ])
    const stopping = AbortSignal.abort()
    expect(await quicken(sources.folder, stopping)).toEqual([])
  })
})
