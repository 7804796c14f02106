import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkBreaking, checkReleasedContract } from '../../scripts/check/breaking.ts'
import { checkGeneratedCode } from '../../scripts/check/generated-code.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CONTRACT = join('proto', 'mpesa', 'gateway', 'v1', 'errors.proto')

/** A copy of the contract and of what is generated from it, in a folder of its own. */
const copyProject = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'mpesa-gateway-check-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const path of ['buf.yaml', 'buf.gen.yaml', 'package.json', 'proto', join('src', 'gen')])
    await cp(join(ROOT, path), join(root, path), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  return root
}

const change = async (root: string, path: string, from: string, to: string): Promise<void> => {
  const text = await readFile(join(root, path), 'utf8')
  expect(text).toContain(from)
  await writeFile(join(root, path), text.replace(from, to))
}

const git = (root: string, ...args: string[]): void => {
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false']
  const { status, stderr } = spawnSync('git', [...author, ...args], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
}

const commit = (root: string): void => {
  git(root, 'add', 'buf.yaml', 'proto')
  git(root, 'commit', '-q', '-m', 'A state')
}

const hasGit = spawnSync('git', ['--version']).status === 0

describe('the check of generated code', () => {
  it('passes what buf has just written, and names what differs', async () => {
    const root = await copyProject()
    expect(await checkGeneratedCode(root)).toEqual({ kind: 'passed' })
    const generated = join('src', 'gen', 'mpesa', 'gateway', 'v1', 'errors_pb.js')
    await change(root, generated, 'FieldViolation', 'Something')
    await writeFile(join(root, 'src', 'gen', 'other.js'), '')
    const outcome = await checkGeneratedCode(root)
    expect(outcome).toMatchObject({ kind: 'failed' })
    expect(outcome).toHaveProperty(
      'output',
      expect.stringMatching(/errors_pb\.js differs[\s\S]*other\.js differs/),
    )
  })
})

describe.skipIf(!hasGit)('the check of the contract against main', () => {
  const FIELD = 'string problem = 2;'

  it('is skipped where there is no repository', async () => {
    expect(await checkBreaking(await copyProject())).toMatchObject({ kind: 'skipped' })
  })

  it('finds what breaks the contract of main, before it is committed', async () => {
    const root = await copyProject()
    git(root, 'init', '-q', '-b', 'main')
    commit(root)
    expect(await checkBreaking(root)).toEqual({ kind: 'passed' })
    await change(root, CONTRACT, FIELD, 'string trouble = 2;')
    expect(await checkBreaking(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('errors.proto'),
    })
  })

  it('finds what the newest commit of main itself breaks', async () => {
    const root = await copyProject()
    git(root, 'init', '-q', '-b', 'main')
    commit(root)
    await change(root, CONTRACT, FIELD, 'bytes problem = 2;')
    commit(root)
    expect(await checkBreaking(root)).toMatchObject({ kind: 'failed' })
  })

  it('compares a branch with main, and lets it add', async () => {
    const root = await copyProject()
    git(root, 'init', '-q', '-b', 'main')
    commit(root)
    git(root, 'checkout', '-q', '-b', 'more')
    await change(root, CONTRACT, FIELD, `${FIELD}\n  string more = 3;`)
    commit(root)
    expect(await checkBreaking(root)).toEqual({ kind: 'passed' })
    await change(root, CONTRACT, FIELD, '')
    commit(root)
    await change(root, CONTRACT, 'string more = 3;', 'string more = 3; // and more')
    commit(root)
    expect(await checkBreaking(root)).toMatchObject({ kind: 'failed' })
  })
})

describe.skipIf(!hasGit)('the check of the contract against the last release', () => {
  /** A project whose only commit is released, as releases.json says, and what `commit` is recorded as. */
  const copyReleased = async (recorded?: string): Promise<string> => {
    const root = await copyProject()
    git(root, 'init', '-q', '-b', 'main')
    commit(root)
    const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
    await mkdir(join(root, 'test', 'releases'), { recursive: true })
    const releases = { '0.1.0': '0'.repeat(40), '0.2.0': recorded ?? stdout.trim() }
    await writeFile(join(root, 'test', 'releases', 'releases.json'), JSON.stringify(releases))
    return root
  }

  it('finds what two commits since then broke, each of which main has by now', async () => {
    const root = await copyReleased()
    expect(await checkReleasedContract(root)).toEqual({ kind: 'passed' })
    await change(root, CONTRACT, 'string problem = 2;', 'string trouble = 2;')
    commit(root)
    await change(root, CONTRACT, 'string trouble = 2;', 'string trouble = 2; // of a field')
    commit(root)
    expect(await checkBreaking(root)).toEqual({ kind: 'passed' })
    expect(await checkReleasedContract(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('errors.proto'),
    })
  })

  it('finds a method that is no more', async () => {
    const root = await copyReleased()
    const payments = join('proto', 'mpesa', 'gateway', 'v1', 'payments.proto')
    await change(
      root,
      payments,
      'rpc ResendOutcome(ResendOutcomeRequest) returns (ResendOutcomeResponse);',
      '',
    )
    expect(await checkReleasedContract(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('ResendOutcome'),
    })
  })

  it('is skipped where the history does not reach it, and says so', async () => {
    expect(await checkReleasedContract(await copyReleased('1'.repeat(40)))).toEqual({
      kind: 'skipped',
      why: 'this copy has no history that reaches release 0.2.0',
    })
  })
})
