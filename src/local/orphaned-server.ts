import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { identify } from '../runtime/process-identity.ts'
import { killIfThere } from './guarded-process.ts'
import { UserError } from './user-error.ts'

/** The pid on the first line of a pid file, or null. */
export const readPidFile = async (file: string): Promise<number | null> => {
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
  return Number.isInteger(pid) && pid > 1 ? pid : null
}

/** Whether the process runs and its command line holds the text: a pid alone may belong to somebody else by now. */
export const isProcessOf = async (pid: number, text: string): Promise<boolean> => {
  const command =
    process.platform === 'linux'
      ? readFile(`/proc/${pid}/cmdline`, 'utf8').then((words) => words.replaceAll('\0', ' '))
      : promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).then(({ stdout }) => stdout)
  return (await command.catch(() => '')).includes(text)
}

/** The processes whose working directory is the folder; on Linux only, elsewhere none are found. */
export const processesIn = async (folder: string): Promise<number[]> => {
  const target = await realpath(folder).catch(() => folder)
  const names = await readdir('/proc').catch((): string[] => [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => null)))
  return pids.filter((_pid, index) => folders[index] === target)
}

/** Resolves with whether the condition came true within the time. */
export const waitUntil = async (
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> => {
  const until = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > until) return false
    await pause(50)
  }
  return true
}

/**
 * Ends a server that an earlier run, itself ended by SIGKILL, left behind: asks, and after 15 seconds forces. Two servers
 * on one store would destroy it, so it throws `UserError` when the old one stays.
 */
export const endOrphanedServer = async (options: {
  name: string
  pid: number
  forceSignal: NodeJS.Signals
  say: (text: string) => void
}): Promise<void> => {
  const { name, pid } = options
  options.say(`ending the ${name} (process ${pid}) that an earlier run left behind`)
  const isGone = (): boolean => identify(pid) === null
  killIfThere(pid, 'SIGINT')
  if (await waitUntil(isGone, 15_000)) return
  killIfThere(pid, options.forceSignal)
  if (!(await waitUntil(isGone, 5_000)))
    throw new UserError(`process ${pid} of an earlier run does not end; end it by hand (kill ${pid})`)
}
