import { spawn } from 'node:child_process'
import { access, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'

/** A copy of the project in which mutants live, one after the other. */
export type MutantCopy = {
  /** Resolves with the full names of the tests that failed among those the mutant names. */
  run(mutant: Mutant): Promise<string[]>
  delete(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..', '..', '..')

/** What the tests need; dependencies are shared. */
const COPIED = [
  'src',
  'test',
  'scripts',
  'docs',
  'proto',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

/** Some mutants turn their test red by never ending: what ends otherwise does so in a third of this, ms. */
const RED_WITHIN_MS = 10_000

/** The run of the suite that tries the mutants: its services, its template, and its name in what tests make. */
export type SuiteRun = { databaseUrl: string; databaseTemplate: string; natsUrl: string; testRun: string }

/** What the template is made of: a mutant there needs one of its own, as a run of the suite makes it. */
const MAKES_TEMPLATE = 'src/database/'

/** For all other mutants: with the template of the run, the test file starts at once. */
const WITHIN_RUN = 'test/faults/mutants/vitest.config.ts'

/** Copies the project; its tests are part of the given run. */
export const copyProject = async (suite: SuiteRun): Promise<MutantCopy> => {
  const folder = await mkdtemp(join(tmpdir(), 'mutants-'))
  for (const name of COPIED) await cp(join(ROOT, name), join(folder, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return {
    run: async (mutant) => {
      const path = join(folder, mutant.file)
      const original = await readFile(path, 'utf8')
      await writeFile(path, mutate(mutant, original))
      try {
        const config = mutant.file.startsWith(MAKES_TEMPLATE) ? 'vitest.config.ts' : WITHIN_RUN
        return await failuresOf({ suite, config, folder, ...mutant.killedBy })
      } finally {
        await writeFile(path, original)
      }
    },
    delete: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Throws for a mutant whose text is not found once in the project's own code, or whose test file is not there. */
export const findInProject = async (mutant: Mutant): Promise<void> => {
  mutate(mutant, await readFile(join(ROOT, mutant.file), 'utf8'))
  await access(join(ROOT, mutant.killedBy.file))
}

const mutate = (mutant: Mutant, text: string): string =>
  mutant.changes.reduce((changed, { find, replace }) => {
    if (changed.split(find).length !== 2)
      throw new Error(
        `"${find}" does not stand exactly once in ${mutant.file}: bring the mutant in step with it`,
      )
    return changed.replace(find, () => replace)
  }, text)

type Report = {
  testResults: { assertionResults: { fullName: string; status: string }[]; message: string }[]
}

const failuresOf = async (options: {
  suite: SuiteRun
  config: string
  folder: string
  file: string
  test: string
}): Promise<string[]> => {
  const { suite } = options
  const reportFile = join(options.folder, 'report.json')
  await rm(reportFile, { force: true })
  const pattern = options.test.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  const vitest = join(options.folder, 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(
    process.execPath,
    [
      vitest,
      'run',
      '--config',
      options.config,
      options.file,
      '-t',
      pattern,
      `--testTimeout=${RED_WITHIN_MS}`,
      '--reporter=json',
      `--outputFile=${reportFile}`,
    ],
    {
      cwd: options.folder,
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
        DATABASE_URL: suite.databaseUrl,
        DATABASE_TEMPLATE: suite.databaseTemplate,
        NATS_URL: suite.natsUrl,
        TEST_RUN: suite.testRun,
        // From the mutated sources: a bundle of them would be used once.
        TESTED_GATEWAY: join(options.folder, 'src', 'cli', 'main.ts'),
      },
    },
  )
  await new Promise((resolve) => child.on('exit', resolve))
  const report = JSON.parse(await readFile(reportFile, 'utf8')) as Report
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  )
}
