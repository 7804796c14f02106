import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { identify } from '../runtime/process-identity.ts'
import { LocalProblem } from './problem.ts'
import { killIfThere } from './tether.ts'

const POLL_MS = 50

/** The pid on the first line of a pid file, or null. */
export const readPidFile = async (file: string): Promise<number | null> => {
  const text = await readFile(file, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return Number.isInteger(pid) && pid > 1 ? pid : null
}

const commandLineOf = async (pid: number): Promise<string> => {
  if (process.platform === 'linux')
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return stdout
}

/** Whether the process runs and its command line holds the text: a pid alone may belong to somebody else by now. */
export const isProcessOf = async (pid: number, text: string): Promise<boolean> =>
  (await commandLineOf(pid)).includes(text)

/** The processes whose working directory is the folder; on Linux only, elsewhere none are found. */
export const processesIn = async (folder: string): Promise<number[]> => {
  const target = await realpath(folder).catch(() => folder)
  const names = await readdir('/proc').catch((): string[] => [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map((pid) =>
      readlink(`/proc/${pid}/cwd`).then(
        (cwd) => cwd === target,
        () => false,
      ),
    ),
  )
  return pids.filter((_pid, index) => found[index])
}

/** Resolves with whether the condition came true within the time. */
export const waitUntil = async (
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> => {
  const until = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > until) return false
    await pause(POLL_MS)
  }
  return true
}

/**
 * Ends a server that an earlier run, itself ended by SIGKILL, left behind: asks, and after 15 seconds forces. Two servers
 * on one store would destroy it, so it throws `LocalProblem` when the old one stays.
 */
export const endLeftover = async (options: {
  pid: number
  stopSignal: NodeJS.Signals
  forceSignal: NodeJS.Signals
}): Promise<void> => {
  const { pid, stopSignal, forceSignal } = options
  const isGone = (): boolean => identify(pid) === null
  killIfThere(pid, stopSignal)
  if (await waitUntil(isGone, 15_000)) return
  killIfThere(pid, forceSignal)
  if (!(await waitUntil(isGone, 5_000)))
    throw new LocalProblem(`process ${pid} of an earlier run does not end; end it by hand (kill ${pid})`)
}
