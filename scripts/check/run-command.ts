import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** How a command ended, with all that it wrote; the code is null when a signal ended it or it could not be started. */
export type CommandResult = { code: number | null; output: string; problem: string | null }

/** Runs a command to its end in `root`, with the installed commands first on PATH. Never rejects. */
export const runCommand = (root: string, command: string, args: readonly string[]): Promise<CommandResult> =>
  new Promise((resolve) => {
    const binaries = join(root, 'node_modules', '.bin')
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: `${binaries}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error) => resolve({ code: null, output, problem: error.message }))
    child.on('close', (code) => resolve({ code, output, problem: null }))
  })
