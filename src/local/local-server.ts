import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { GuardedProcess } from './guarded-process.ts'
import { freePort } from './ports.ts'
import { UserError } from './user-error.ts'

const START_ATTEMPTS = 3

/** A server on 127.0.0.1 that runs as long as this process does. */
export type LocalServer = GuardedProcess & { readonly url: string; readonly port: number }

/** What the callers of a server decide: a preferred port, and how the start is called off. */
export type LocalServerOptions = {
  dataFolder: string
  port?: number | undefined
  say: (text: string) => void
  signal?: AbortSignal | undefined
}

/**
 * Starts a server and resolves when it answers; on another port when another process takes the port before the server
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
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted()
    const port = await freePort({ preferred: options.port })
    const url = options.urlOf(port)
    const logBefore = await readFile(options.logFile).catch(() => Buffer.alloc(0))
    const server = await options.run(port)
    if (await becomesReady(server, () => options.answers(url), options.timeoutMs))
      return { ...server, url, port }
    await server.stop()
    const output = (await readFile(options.logFile)).subarray(logBefore.length).toString().trim()
    if (attempt === START_ATTEMPTS || !/address already in use/i.test(output))
      throw new UserError(`${options.name} does not start; ${options.logFile} says:\n${output.slice(-2000)}`)
  }
}

/** Resolves with true as soon as the server answers, with false when it has ended or takes too long. */
const becomesReady = async (
  server: GuardedProcess,
  answers: () => Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> => {
  const ended = server.ended.then(() => true)
  const until = performance.now() + timeoutMs
  while (performance.now() < until) {
    if (await answers()) return true
    if (await Promise.race([ended, pause(50, false)])) return false
  }
  return false
}
