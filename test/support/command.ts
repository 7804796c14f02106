import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { TESTED_GATEWAY } from './tested-gateway.ts'

/** What came of a command that somebody typed. */
export type Typed = { code: number | null; signal: string | null; stdout: string; stderr: string }

/** What else is so while it is typed: another gateway than the suite's; the user, by number; where its output goes, a file descriptor, instead of to us. */
type Around = { main?: string; user?: { uid: number; gid: number }; output?: number; cwd?: string }

/** Runs `gateway …` to its end, with `given` as its whole environment and `input` on its standard input. */
export const typeCommand = async (
  words: readonly string[],
  given: Record<string, string>,
  input = '',
  around: Around = {},
): Promise<Typed> => {
  const child = spawn(process.execPath, [around.main ?? TESTED_GATEWAY, ...words], {
    env: { PATH: process.env['PATH'], ...given },
    stdio: ['pipe', around.output ?? 'pipe', 'pipe'],
    cwd: around.cwd,
    ...around.user,
  })
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // A command that reads none of its input may be gone before it is written.
  child.stdin?.on('error', () => undefined).end(input)
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr }
}
