import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Makes the bundle of the checkout in `root`, from which `npm run gateway` starts in half the time. Where that fails,
 * commands start from the sources, and `say` gets the reason. Ends early when `stopping` is aborted.
 */
export const quickenCommands = async (options: {
  root: string
  say: (text: string) => void
  stopping: AbortSignal
}): Promise<void> => {
  const { root, say, stopping } = options
  try {
    const bundle = join(root, 'scripts', 'bundle.ts')
    await promisify(execFile)(process.execPath, [bundle], { signal: stopping })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (!stopping.aborted) say(`commands start from the sources, since these could not be bundled: ${reason}`)
  }
}
