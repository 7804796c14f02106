import { spawn } from 'node:child_process'
import { accessSync, existsSync, constants as fileConstants } from 'node:fs'
import { constants, homedir } from 'node:os'
import { basename, delimiter, join, sep } from 'node:path'
import { CannotInstall } from './cannot-install.mjs'

/** npm settings that the npm around us hands down and that would change what is installed, or where, or what is printed. */
const NOT_HANDED_DOWN =
  /^npm_(lifecycle_|package_|command$|config_(omit|include|only|also|production|dev|optional|global|location|prefix|local_prefix|dry_run|package_lock|package_lock_only|workspaces?|include_workspace_root|json|loglevel|silent|ignore_scripts|engine_strict|install_strategy|foreground_scripts)$)/i

const canWriteTo = (folder) => {
  try {
    accessSync(folder, fileConstants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The environment for npm: PATH without our own node_modules, which npm is about to replace, and a cache that can be written
 * where there is no home folder.
 */
const environmentFor = (root) => {
  const environment = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (!NOT_HANDED_DOWN.test(name)) environment[name] = value
  }
  const own = join(root, 'node_modules') + sep
  environment.PATH = (environment.PATH || '')
    .split(delimiter)
    .filter((folder) => !folder.startsWith(own))
    .join(delimiter)
  if (!environment.npm_config_cache && (!homedir() || !canWriteTo(homedir())))
    environment.npm_config_cache = join(root, '.data', 'npm-cache')
  if (environment.HOME === '') delete environment.HOME
  return environment
}

/** How to call npm: by the very file of the npm that called us, unless that is another tool; else by its name. */
const npmCommand = (root) => {
  const file = process.env.npm_execpath
  if (!file || basename(file) !== 'npm-cli.js' || !existsSync(file)) return ['npm']
  const ownNode = process.execPath.startsWith(join(root, 'node_modules') + sep)
  return [ownNode ? 'node' : process.execPath, file]
}

/**
 * What must not depend on the settings of the machine. Install scripts are wanted: one puts the pinned Node into its place;
 * which packages may run any is listed in package.json.
 */
const NPM_ARGUMENTS = [
  'ci',
  '--include=dev',
  '--include=optional',
  '--ignore-scripts=false',
  '--engine-strict=false',
  '--no-audit',
  '--no-fund',
  '--no-update-notifier',
  '--loglevel=error',
]

/** Passes the signals that would end us on to a process group until `done`; `received` tells the last one. */
const passSignalsTo = (groupLeader) => {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP']
  let last = null
  const passOn = (name) => {
    last = name
    try {
      process.kill(-groupLeader, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
  for (const name of names) process.on(name, passOn)
  const done = () => {
    for (const name of names) process.off(name, passOn)
  }
  return { done, received: () => last }
}

const refusalOf = (code, signal, interruptedBy) => {
  if (interruptedBy !== null) {
    const text = 'interrupted while installing; the next run installs afresh.'
    return new CannotInstall(text, 128 + constants.signals[interruptedBy])
  }
  const ending = signal ? `was ended by ${signal}` : `ended with code ${code}`
  return new CannotInstall(
    `npm ci ${ending}; what it said is above. Nothing was started. ` +
      'Check the network and the npm settings, then run the same command again.',
  )
}

/**
 * Runs `npm ci`; resolves when it succeeded, else throws `CannotInstall`. It writes to standard error only. `lock` is shared
 * with it, for it may outlive us.
 */
export const runNpmCi = ({ root, lock }) =>
  new Promise((resolve, reject) => {
    const [command, ...first] = npmCommand(root)
    const npm = spawn(command, [...first, ...NPM_ARGUMENTS], {
      cwd: root,
      env: environmentFor(root),
      // A group of its own, to be ended whole: npm leaves the scripts that it runs behind when it alone is ended.
      detached: true,
      stdio: ['ignore', 2, 2],
    })
    npm.on('error', (error) =>
      reject(new CannotInstall(`cannot run npm (${error.message}). Is it installed and on PATH?`)),
    )
    if (npm.pid === undefined) return
    lock.share(npm.pid)
    const signals = passSignalsTo(npm.pid)
    npm.on('exit', (code, signal) => {
      signals.done()
      if (code === 0 && signals.received() === null) resolve()
      else reject(refusalOf(code, signal, signals.received()))
    })
  })
