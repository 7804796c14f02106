import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)

const ROOT = join(import.meta.dirname, '..', '..')
const FOLDER = join(ROOT, 'deploy', 'systemd')

const UNITS = (await readdir(FOLDER)).filter((name) => name.endsWith('@.service'))

/** What `dispatch` asks before it connects, and Fastify before it listens on all addresses. */
const LOOK = `
  import { createOwnAddresses } from './src/dispatcher/network/guard-address.ts'
  console.log([...createOwnAddresses(() => 0)()].join(' '))
`

describe.runIf(process.platform === 'linux')('the units of systemd', () => {
  it.each(UNITS)('let the process see the addresses of its machine: %s', async (name) => {
    const unit = await readFile(join(FOLDER, name), 'utf8')
    const families = /^RestrictAddressFamilies=(.+)$/m.exec(unit)?.[1] ?? ''
    const node = [process.execPath, '--input-type=module', '--eval', LOOK]
    const script = join(import.meta.dirname, 'restrict-families.py')
    const { stdout } = await run('python3', [script, families, ...node], { cwd: ROOT })
    expect(stdout.trim().split(' ')).toContain('127.0.0.1')
  })
})
