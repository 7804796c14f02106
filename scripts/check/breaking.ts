import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readLastRelease } from './last-release.ts'
import { type Outcome, toOutcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

/** The branch whose contract others rely on, the published one first. */
const MAIN = ['origin/main', 'main']

/**
 * Holds the contract in `proto` against that of the main branch, from commit to commit. Where HEAD is the main branch itself, as in a fresh clone,
 * the commit before it counts too: else a change would be held against itself. Skipped where there is no git repository.
 */
export const checkBreaking = async (root: string): Promise<Outcome> => {
  const why = await whyNoHistory(root)
  if (why !== null) return { kind: 'skipped', why }
  const outcomes = await Promise.all((await baselines(root)).map((commit) => compareWith(root, commit)))
  return outcomes.find((outcome) => outcome.kind === 'failed') ?? { kind: 'passed' }
}

/**
 * Holds the contract against that of the last release, which is what callers were built with. Skipped where the history does
 * not reach it.
 */
export const checkReleasedContract = async (root: string): Promise<Outcome> => {
  const why = await whyNoHistory(root)
  if (why !== null) return { kind: 'skipped', why }
  const release = await readLastRelease(root)
  if (release === null) return { kind: 'skipped', why: 'there was no release yet' }
  if ((await commitOf(root, release.commit)) === null)
    return { kind: 'skipped', why: `this copy has no history that reaches release ${release.version}` }
  return compareWith(root, release.commit)
}

const whyNoHistory = async (root: string): Promise<string | null> => {
  const prefix = await runCommand(root, 'git', ['rev-parse', '--show-prefix'])
  if (prefix.problem !== null) return 'there is no git here to compare with'
  const isOther = prefix.output.trim() !== '' || /not a git repository/i.test(prefix.output)
  return isOther ? 'this folder is no git repository, so there is nothing to compare with' : null
}

const baselines = async (root: string): Promise<string[]> => {
  const head = await commitOf(root, 'HEAD')
  const mains = await Promise.all(MAIN.map((name) => commitOf(root, name)))
  const main = mains.find((commit) => commit !== null) ?? head
  const before = main === head ? await commitOf(root, 'HEAD^') : null
  return [main, before].filter((commit) => commit !== null)
}

const commitOf = async (root: string, name: string): Promise<string | null> => {
  const { code, output } = await runCommand(root, 'git', ['rev-parse', '-q', '--verify', `${name}^{commit}`])
  return code === 0 ? output.trim() : null
}

/** A commit from before there was a contract breaks nothing. */
const compareWith = async (root: string, commit: string): Promise<Outcome> => {
  const hadContract = await runCommand(root, 'git', ['cat-file', '-e', `${commit}:buf.yaml`])
  if (hadContract.code !== 0) return { kind: 'passed' }
  const folder = await mkdtemp(join(tmpdir(), 'mpesa-gateway-breaking-'))
  try {
    const archive = join(folder, 'main.tar')
    const archived = await runCommand(root, 'git', [
      'archive',
      '--format=tar',
      '-o',
      archive,
      commit,
      'buf.yaml',
      'proto',
    ])
    if (archived.code !== 0) return toOutcome(archived)
    return toOutcome(await runCommand(root, 'buf', ['breaking', '--against', archive]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
