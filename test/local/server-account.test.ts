import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findPostgresBinaries } from '../../src/local/postgres.ts'
import { chooseAccount, commandAs } from '../../src/local/server-account.ts'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0

let folder: string
beforeEach(async () => {
  // Closed to everybody but its owner, as `mktemp -d` makes folders.
  folder = await mkdtemp(join(tmpdir(), 'account-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the account of a server', () => {
  it.runIf(isRoot)('is not root, and reaches programs and data where only root may enter', async () => {
    const programs = await findPostgresBinaries()
    await cp(join(programs.initdb, '..', '..'), join(folder, 'native'), { recursive: true })
    const program = join(folder, 'native', 'bin', 'initdb')
    const account = await chooseAccount({ dataFolder: join(folder, 'cluster'), folder, program })

    expect(account.user?.uid).toBeGreaterThan(0)
    const version = commandAs(account, program, ['--version'])
    const { stdout, stderr } = await run(version.program, version.args, {
      cwd: '/',
      uid: version.uid,
      gid: version.gid,
    })
    expect(stdout).toContain('PostgreSQL')
    expect(stderr).toBe('')
    const id = commandAs(account, 'id', ['-u'])
    const found = await run(id.program, id.args, { cwd: '/', uid: id.uid, gid: id.gid })
    expect(found.stdout).toBe(`${account.user?.uid}\n`)
  })

  it.runIf(!isRoot)('is our own when we are not root', async () => {
    const { initdb } = await findPostgresBinaries()
    const account = await chooseAccount({ dataFolder: folder, folder, program: initdb })
    expect(account).toEqual({ prefix: [] })
  })
})
