import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import getPort from 'get-port'
import { identify } from '../runtime/process-identity.ts'
import { type GuardedProcess, killIfThere, UserError } from './child-process.ts'

const START_ATTEMPTS = 3

/** A server on 127.0.0.1 that runs as long as this process does. */
export type LocalServer = GuardedProcess & { readonly url: string; readonly port: number }

/** What the callers of a server decide. */
export type LocalServerOptions = {
  dataFolder: string
  /** The port that it must have; without it, any that is free. */
  port?: number | undefined
  say: (text: string) => void
  /** Calls the start off. */
  signal?: AbortSignal | undefined
}

/**
 * Starts a server and resolves when it answers; once more when another process takes the port before the server
 * listens. Throws `UserError` with the end of its log when it does not start.
 */
export const startLocalServer = async (options: {
  name: string
  logFile: string
  port: number | undefined
  signal: AbortSignal | undefined
  run: (port: number) => Promise<GuardedProcess>
  urlOf: (port: number) => string
  answers: (url: string) => Promise<boolean>
  timeoutMs: number
}): Promise<LocalServer> => {
  const { name, logFile, answers, timeoutMs } = options
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted()
    const port = options.port ?? (await getPort({ host: '127.0.0.1' }))
    const url = options.urlOf(port)
    const logBefore = await readFile(logFile).catch(() => Buffer.alloc(0))
    const { pid, ended, stop } = await options.run(port)
    let isReady = false
    let hasEnded = false
    void ended.then(() => {
      hasEnded = true
    })
    await waitUntil(async () => (isReady = await answers(url)) || hasEnded, timeoutMs)
    if (isReady) return { pid, ended, stop, url, port }
    await stop()
    const output = (await readFile(logFile)).subarray(logBefore.length).toString().trim()
    if (attempt === START_ATTEMPTS || !/address already in use/i.test(output))
      throw new UserError(`${name} does not start; ${logFile} says:\n${output.slice(-2000)}`)
  }
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
  const pids = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => null)))
  return pids.filter((_pid, index) => folders[index] === target).map(Number)
}

/**
 * Ends a server that an earlier run, itself ended by SIGKILL, left behind: asks, and after 15 seconds forces. Two
 * servers on one store would destroy it, so it throws `UserError` when the old one stays.
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
