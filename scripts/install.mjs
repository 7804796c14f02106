import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CannotInstall } from './cannot-install.mjs'
import { hasNode, isInstalled, markInstalled, unmarkInstalled } from './is-installed.mjs'
import { runNpmCi } from './npm-ci.mjs'
import { takeLock } from './process-lock.mjs'

const install = async (options) => {
  const { root, say } = options
  say(
    existsSync(join(root, 'node_modules'))
      ? 'The dependencies are not those of package-lock.json: installing them anew (npm ci) …'
      : 'First run: installing the locked dependencies (npm ci), which takes a minute …',
  )
  unmarkInstalled(root)
  await runNpmCi(options)
  if (!hasNode(root))
    throw new CannotInstall(
      'npm ci succeeded but left no node_modules/.bin/node. Do the npm settings forbid install scripts?',
    )
  markInstalled(root)
}

/**
 * Sees to it that node_modules holds what package-lock.json names; installs it when it is missing, stale or left half done.
 * Of several processes one installs and the others wait. `say` tells a person what happens. Throws `CannotInstall`.
 */
export const ensureInstalled = async (options) => {
  const { root, say } = options
  let told = false
  while (!isInstalled(root)) {
    const { heldBy, lock } = takeLock(join(root, '.data', 'install.lock'))
    if (lock) {
      try {
        if (!isInstalled(root)) await install({ root, say, lock })
      } finally {
        lock.release()
      }
      continue
    }
    if (!told) say(`Waiting for process ${heldBy}, which installs the dependencies …`)
    told = true
    await pause(250)
  }
}
