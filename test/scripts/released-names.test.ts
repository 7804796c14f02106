import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkReleasedNames } from '../../scripts/check/released-names.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PAGES = ['docs/settings.md', 'docs/operations.md', 'docs/commands.md', 'CHANGELOG.md']
const hasGit = spawnSync('git', ['--version']).status === 0

const git = (root: string, ...args: string[]): string => {
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false']
  const { status, stdout, stderr } = spawnSync('git', [...author, ...args], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** A project whose only commit is its last release. */
const copyReleased = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'mpesa-gateway-names-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const page of PAGES) await cp(join(ROOT, page), join(root, page), { recursive: true })
  git(root, 'init', '-q', '-b', 'main')
  git(root, 'add', '.')
  git(root, 'commit', '-q', '-m', 'A release')
  await mkdir(join(root, 'test', 'releases'), { recursive: true })
  const releases = { '0.4.0': git(root, 'rev-parse', 'HEAD') }
  await writeFile(join(root, 'test', 'releases', 'releases.json'), JSON.stringify(releases))
  return root
}

const edit = async (root: string, page: string, change: (text: string) => string): Promise<void> => {
  const text = await readFile(join(root, page), 'utf8')
  expect(change(text)).not.toBe(text)
  await writeFile(join(root, page), change(text))
}

describe.skipIf(!hasGit)('the check of names against the last release', () => {
  it.each([
    ['docs/settings.md', 'NATS_URL', /^\| `NATS_URL`.*\n/m],
    ['docs/operations.md', 'gateway_payment_requests_total', /gateway_payment_requests_total/g],
    ['docs/commands.md', 'partners list', /`partners list`/],
  ])('finds in %s that %s is gone, unless the changelog says so', async (page, name, pattern) => {
    const root = await copyReleased()
    expect(await checkReleasedNames(root)).toEqual({ kind: 'passed' })
    await edit(root, page, (text) => text.replace(pattern, ''))
    expect(await checkReleasedNames(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining(`${page} no longer has \`${name}\` of release 0.4.0`),
    })
    await edit(root, 'CHANGELOG.md', (text) =>
      text.replace(/^## /m, `## [0.10.0]\n\n### Removed\n\n- \`${name}\`.\n\n## `),
    )
    expect(await checkReleasedNames(root)).toEqual({ kind: 'passed' })
  })

  it('is skipped where the history does not reach it', async () => {
    const root = await copyReleased()
    await writeFile(join(root, 'test', 'releases', 'releases.json'), `{"0.4.0":"${'1'.repeat(40)}"}`)
    expect(await checkReleasedNames(root)).toMatchObject({ kind: 'skipped' })
  })
})
