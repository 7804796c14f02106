import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A program of a partner's or a service's, as it would run it. */
export type ExampleProcess = {
  /** Everything that it printed so far. */
  output(): string
  /** Resolves with its exit code, null when a signal ended it. */
  ended: Promise<number | null>
  /** Kills it, and resolves when it is gone. */
  close(): Promise<void>
}

/** Starts a program in a folder, with `environment` laid over ours. */
export const startExample = (start: {
  file: string
  args: readonly string[]
  folder: string
  environment?: Record<string, string>
}): ExampleProcess => {
  const { file, args, folder, environment } = start
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = once(child, 'close').then(
    () => child.exitCode,
    (error: Error) => {
      output += error.message
      return 1
    },
  )
  return {
    output: () => output,
    ended,
    close: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
