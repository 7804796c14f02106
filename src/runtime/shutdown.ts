import { Socket } from 'node:net'

/**
 * Resolves with the name of the first signal that asks this process to end (SIGINT or SIGTERM), or with `'stdin'` when
 * `withParent` is set and standard input closes: the parent that held its other end is gone. Later signals change nothing,
 * so that a second Ctrl-C cannot cut short what is finishing.
 */
export const untilAskedToStop = (options: { withParent: boolean }): Promise<string> =>
  new Promise((resolve) => {
    process.on('SIGINT', () => resolve('SIGINT'))
    process.on('SIGTERM', () => resolve('SIGTERM'))
    if (!options.withParent) return
    process.stdin.on('end', () => resolve('stdin')).on('error', () => resolve('stdin'))
    process.stdin.resume()
    // Else a process that cannot start, or has stopped, would stay for as long as its parent. A file has no `unref`.
    if (process.stdin instanceof Socket) process.stdin.unref()
  })
