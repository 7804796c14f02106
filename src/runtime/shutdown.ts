/**
 * Resolves with the name of the first signal that asks this process to end (SIGINT or SIGTERM), or with `'stdin'` when
 * `withParent` is set and standard input closes: the parent that held its other end is gone. Later signals change nothing,
 * so that a second Ctrl-C cannot cut short what is finishing.
 */
export const untilAskedToStop = (options: { withParent: boolean }): Promise<string> =>
  new Promise((resolve) => {
    const stop = (reason: string): void => {
      // Left open, standard input would keep the process alive after everything has stopped.
      if (options.withParent) process.stdin.destroy()
      resolve(reason)
    }
    process.on('SIGINT', () => stop('SIGINT'))
    process.on('SIGTERM', () => stop('SIGTERM'))
    if (!options.withParent) return
    process.stdin.on('end', () => stop('stdin')).on('error', () => stop('stdin'))
    process.stdin.resume()
  })
