import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SCRIPTS = join(import.meta.dirname, '..', '..', 'scripts')

/** A stand-in for npm: writes what it was called with to `npm-calls`, then does what FAKE_NPM says. */
const FAKE_NPM = `#!/bin/sh
echo "$@ omit=$npm_config_omit loglevel=$npm_config_loglevel" >> npm-calls
echo noise
case "$FAKE_NPM" in
  fail) echo "npm error: no network" >&2; exit 7 ;;
  hang) mkdir -p node_modules; echo $$ > npm-pid; exec sleep 60 ;;
  held) until [ -e npm-released ]; do sleep 0.02; done ;;
esac
rm -rf node_modules
mkdir -p node_modules/.bin
ln -s "${process.execPath}" node_modules/.bin/node
cp package-lock.json node_modules/.package-lock.json
printf '#!/bin/sh\\necho "$@"\\n' > node_modules/.bin/show
chmod +x node_modules/.bin/show
`

/** How a run ended and what it printed. */
export type Outcome = { code: number | null; stdout: string; stderr: string }

/** A run under way. */
export type Run = { child: ChildProcess; outcome: Promise<Outcome> }

/** A fresh clone in a temporary folder: our scripts, a lock file, and an npm that installs nothing real. */
export type Clone = {
  readonly folder: string
  /** Starts `node scripts/run.mjs <args>` in it, with the environment laid over ours. */
  readonly start: (args: string[], environment?: Record<string, string>) => Run
  readonly run: (args: string[], environment?: Record<string, string>) => Promise<Outcome>
  /** What npm was called with so far, a line a call. */
  readonly npmCalls: () => Promise<string[]>
  readonly write: (path: string, content: string) => Promise<void>
  readonly drop: () => Promise<void>
}

const outcomeOf = async (child: ChildProcess): Promise<Outcome> => {
  const collected = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => {
      collected[name] += chunk.toString()
    })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, ...collected }
}

export const createClone = async (): Promise<Clone> => {
  const folder = await mkdtemp(join(tmpdir(), 'clone-'))
  await cp(SCRIPTS, join(folder, 'scripts'), { recursive: true })
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await write('package.json', '{"type":"module"}')
  await write('package-lock.json', '{"packages":{"":{}}}')
  await write('bin/npm', FAKE_NPM)
  await chmod(join(folder, 'bin', 'npm'), 0o755)

  const start = (args: string[], environment: Record<string, string> = {}): Run => {
    const child = spawn(process.execPath, [join('scripts', 'run.mjs'), ...args], {
      cwd: folder,
      // No `npm_execpath`: it is the real npm's when this suite was started by it.
      env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return { child, outcome: outcomeOf(child) }
  }
  const npmCalls = async (): Promise<string[]> => {
    const text = await readFile(join(folder, 'npm-calls'), 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }
  return {
    folder,
    start,
    run: (args, environment) => start(args, environment).outcome,
    npmCalls,
    write,
    drop: () => rm(folder, { recursive: true, force: true }),
  }
}
