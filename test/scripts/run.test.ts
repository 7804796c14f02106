import { once } from 'node:events'
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identify } from '../../src/runtime/process-identity.ts'
import { eventually } from '../support/eventually.ts'
import { type Clone, createClone } from './clone.ts'

let clone: Clone

beforeEach(async () => {
  clone = await createClone()
})
afterEach(() => clone.drop())

describe('installing', () => {
  it('happens before the first command and not again, and keeps standard output clean', async () => {
    const first = await clone.run(['show', 'partners', 'list', '--json'])
    expect(first).toMatchObject({ code: 0, stdout: 'partners list --json\n' })
    expect(first.stderr).toContain('installing the locked dependencies')

    const second = await clone.run(['show', 'again'])
    expect(second).toEqual({ code: 0, stdout: 'again\n', stderr: '' })
    expect(await clone.npmCalls()).toHaveLength(1)
  })

  it('is npm ci, with the development dependencies whatever npm around it was set to', async () => {
    await clone.run(['show'], {
      npm_config_omit: 'dev',
      npm_config_loglevel: 'silent',
      NODE_ENV: 'production',
    })
    expect(await clone.npmCalls()).toEqual([expect.stringMatching(/^ci --include=dev .* omit= loglevel=$/)])
  })

  it('happens again when package-lock.json has changed', async () => {
    await clone.run(['show'])
    await clone.write('package-lock.json', '{"packages":{"":{},"node_modules/new":{"integrity":"sha512-a"}}}')
    const { code, stderr } = await clone.run(['show'])
    expect(code).toBe(0)
    expect(stderr).toContain('not those of package-lock.json')
    expect(await clone.npmCalls()).toHaveLength(2)
  })

  it('is left out when npm ci was run by hand', async () => {
    await clone.run(['show'])
    await clone.write('node_modules/.installed-from', 'another lock file')
    expect(await clone.run(['show', 'x'])).toEqual({ code: 0, stdout: 'x\n', stderr: '' })
    expect(await clone.npmCalls()).toHaveLength(1)
  })

  it.each(['', '{"packages":{', '[]'])(
    'happens when the list of npm is but half written: %j',
    async (list) => {
      await clone.run(['show'])
      await clone.write('node_modules/.installed-from', 'another lock file')
      await clone.write('node_modules/.package-lock.json', list)
      expect(await clone.run(['show', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' })
      expect(await clone.npmCalls()).toHaveLength(2)
    },
  )

  it('that fails is reported without a stack, starts nothing, and is tried again by the next command', async () => {
    const failed = await clone.run(['show', 'x'], { FAKE_NPM: 'fail' })
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toContain('npm error: no network')
    expect(failed.stderr).toContain('npm ci ended with code 7')
    expect(failed.stderr).not.toMatch(/^\s+at /m)
    expect(await clone.run(['show', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  it('says so when there is no npm', async () => {
    await clone.write('bin/npm', '')
    const failed = await clone.run(['show'], { PATH: join(clone.folder, 'nowhere') })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/cannot run npm .*on PATH\?\n$/)
  })

  it('that is interrupted ends npm, and is done afresh by the next command', async () => {
    const { child, outcome } = clone.start(['show'], { FAKE_NPM: 'hang' })
    const npmPid = await eventually(async () => {
      const pid = Number(await readFile(join(clone.folder, 'npm-pid'), 'utf8'))
      expect(pid).toBeGreaterThan(0)
      return pid
    })
    child.kill('SIGTERM')
    expect(await outcome).toMatchObject({ code: 143, stdout: '' })
    expect(identify(npmPid)).toBeNull()
    expect(await clone.run(['show', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  it('is done once by two commands at once', async () => {
    const runs = ['a', 'b'].map((name) => clone.start(['show', name], { FAKE_NPM: 'held' }))
    let reported = ''
    for (const { child } of runs)
      child.stderr?.on('data', (chunk: Buffer) => {
        reported += chunk.toString()
      })
    await eventually(() => expect(reported).toMatch(/Waiting for process \d+/))
    await clone.write('npm-released', '')
    const both = await Promise.all(runs.map(({ outcome }) => outcome))
    expect(both.map(({ code, stdout }) => [code, stdout])).toEqual([
      [0, 'a\n'],
      [0, 'b\n'],
    ])
    expect(await clone.npmCalls()).toHaveLength(1)
  })

  it('waits while the npm of a killed command still runs, and takes over when it is gone', async () => {
    const { child } = clone.start(['show'], { FAKE_NPM: 'hang' })
    const npmPid = await eventually(async () => {
      const holders = (await readFile(join(clone.folder, '.data', 'install.lock'), 'utf8')).split(' ')
      expect(holders).toHaveLength(2)
      return Number(holders[1])
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const next = clone.start(['show', 'x'])
    let reported = ''
    next.child.stderr?.on('data', (chunk: Buffer) => {
      reported += chunk.toString()
    })
    await eventually(() => expect(reported).toContain(`Waiting for process ${npmPid}`))
    process.kill(npmPid)
    expect(await next.outcome).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  it.each([
    ['a process that is gone', '999999999', new Date()],
    // After a restart of the machine the pid of a killed install may be anybody's.
    ['a process that cannot still be installing', String(process.pid), new Date(Date.now() - 2 * 3_600_000)],
    ['nobody', 'nonsense', new Date()],
  ])('takes over a lock of %s', async (_whose, content, writtenAt) => {
    await clone.write('.data/install.lock', content)
    await utimes(join(clone.folder, '.data', 'install.lock'), writtenAt, writtenAt)
    expect(await clone.run(['show', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' })
    expect(await readdir(join(clone.folder, '.data'))).toEqual([])
  })
})

describe('running', () => {
  beforeEach(async () => {
    await clone.run(['show'])
  })

  it('gives a TypeScript file its arguments and passes its exit code on', async () => {
    await clone.write('exit.ts', 'const code: number = Number(process.argv[2]); process.exitCode = code')
    expect(await clone.run(['exit.ts', '42'])).toEqual({ code: 42, stdout: '', stderr: '' })
  })

  it('puts the installed commands first on PATH', async () => {
    await clone.write('path.ts', `console.log(process.env['PATH']?.split(':')[0])`)
    const { stdout } = await clone.run(['path.ts'])
    expect(stdout).toMatch(/\/node_modules\/\.bin\n$/)
  })

  it('adds a signal that ended the program to 128', async () => {
    await clone.write('killed.ts', `process.kill(process.pid, 'SIGKILL')`)
    expect(await clone.run(['killed.ts'])).toMatchObject({ code: 137 })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'passes %s on and waits for the program to finish',
    async (signal) => {
      await clone.write(
        'waits.ts',
        `process.on('${signal}', () => setTimeout(() => { console.log('finished'); process.exit(3) }, 100))
       console.log('started'); setInterval(() => undefined, 1000)`,
      )
      const { child, outcome } = clone.start(['waits.ts'])
      await new Promise((resolve) => child.stdout?.once('data', resolve))
      child.kill(signal)
      expect(await outcome).toMatchObject({ code: 3, stdout: 'started\nfinished\n' })
    },
  )

  it('says that a command does not exist', async () => {
    const { code, stderr } = await clone.run(['nonsense'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'mpesa-gateway: there is no command nonsense\n' })
  })
})
