import { Socket } from 'node:net'
import { flushLog, type Log } from './log.ts'

/** Within this time two are one, ms. */
const TWICE_MS = 1_000

/** 128 and the number of SIGINT, as shells report it. */
const ENDED_BY_CTRL_C = 130

/**
 * Resolves with the name of the first signal that asks this process to end (SIGINT, SIGTERM, or SIGHUP, which a terminal
 * that is closed sends), or with `'stdin'` when `withParent` is set and standard input closes: the parent that held its
 * other end is gone. Later ones change nothing, so that a supervisor who repeats itself cuts nothing short, but for a
 * Ctrl-C that comes more than a second after the first: a person has waited, and ends this process, code 130. One comes
 * twice where a terminal and a parent both send it.
 */
export const untilAskedToStop = (options: { withParent: boolean }): Promise<string> =>
  new Promise((resolve) => {
    let firstMs = Number.POSITIVE_INFINITY
    process.on('SIGINT', () => {
      if (performance.now() - firstMs > TWICE_MS) process.exit(ENDED_BY_CTRL_C)
      firstMs = Math.min(firstMs, performance.now())
      resolve('SIGINT')
    })
    process.on('SIGTERM', () => resolve('SIGTERM'))
    process.on('SIGHUP', () => resolve('SIGHUP'))
    if (!options.withParent) return
    process.stdin.on('end', () => resolve('stdin')).on('error', () => resolve('stdin'))
    process.stdin.resume()
    // Else a process that cannot start, or has stopped, would stay for as long as its parent. A file has no `unref`.
    if (process.stdin instanceof Socket) process.stdin.unref()
  })

/**
 * Resolves with the first end: the process was asked to stop, or a part of it rejected with a defect, which is logged
 * and makes the exit code 1.
 */
export const untilStopOrDefect = (ends: readonly Promise<unknown>[], log: Log): Promise<void> =>
  Promise.race(ends).then(
    (reason) => log.info({ event: 'stopping', reason }),
    (error: unknown) => {
      log.fatal({ event: 'defect', err: error })
      process.exitCode = 1
    },
  )

/**
 * Runs a process's work to its end, and logs as its last line that it has stopped: after a request to, how long that
 * took. Rejects as `run` does, without the line.
 */
export const untilStopped = async (options: {
  stopRequested: Promise<string>
  log: Log
  run: () => Promise<void>
}): Promise<void> => {
  let askedMs: number | null = null
  void options.stopRequested.then(() => {
    askedMs = performance.now()
  })
  await options.run()
  const took_ms = askedMs === null ? undefined : Math.round(performance.now() - askedMs)
  options.log.info({ event: 'stopped', took_ms })
  await flushLog(options.log)
}
