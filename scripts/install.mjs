import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, delimiter, join, sep } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { takeLock } from './process-lock.mjs'

/** What a person can mend: told without a stack. */
export class CannotInstall extends Error {}

const readText = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

const stampOf = (root) => join(root, 'node_modules', '.installed-from')
const hiddenLockOf = (root) => join(root, 'node_modules', '.package-lock.json')

/** What an install belongs to: the locked versions, and the machine whose binaries it holds. */
const wantedStamp = (root) => {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')))
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`
}

/**
 * Whether an optional package holds binaries for this machine. One that names a C library may rightly stay away here, and so
 * may one without a system, which belongs to another that stayed away.
 */
const isForThisMachine = ({ os, cpu, libc }) =>
  libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) !== false

/** Whether what npm says it put into node_modules, by hand perhaps, is what package-lock.json asks for. */
const agreesWithLock = (root) => {
  const installed = readText(hiddenLockOf(root))
  if (installed === null) return false
  const found = JSON.parse(installed).packages
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    if (!found[path]) return entry.optional === true && !isForThisMachine(entry)
    return found[path].integrity === entry.integrity && existsSync(join(root, path))
  })
}

const isInstalled = (root) => {
  if (!existsSync(join(root, 'node_modules', '.bin', 'node'))) return false
  if (readText(stampOf(root)) === wantedStamp(root)) return true
  if (!agreesWithLock(root)) return false
  writeFileSync(stampOf(root), wantedStamp(root))
  return true
}

/** npm settings that the npm around us hands down and that would change what is installed, or where, or what is printed. */
const NOT_HANDED_DOWN =
  /^npm_(lifecycle_|package_|command$|config_(omit|include|only|also|production|dev|optional|global|location|prefix|local_prefix|dry_run|package_lock|package_lock_only|workspaces?|include_workspace_root|json|loglevel|silent|ignore_scripts|engine_strict|install_strategy|foreground_scripts)$)/i

const canWriteTo = (folder) => {
  try {
    accessSync(folder, constants.W_OK)
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

const describeEnd = (code, signal) => (signal ? `was ended by ${signal}` : `ended with code ${code}`)

/** Runs `npm ci`; resolves when it succeeded. It writes to standard error only, and signals reach all that it starts. */
const runNpm = (options) =>
  new Promise((resolve, reject) => {
    const [command, ...first] = npmCommand(options.root)
    const npm = spawn(command, [...first, ...NPM_ARGUMENTS], {
      cwd: options.root,
      env: environmentFor(options.root),
      // A group of its own, to be ended whole: npm leaves the scripts that it runs behind when it alone is ended.
      detached: true,
      stdio: ['ignore', 2, 2],
    })
    let interruptedBy = null
    const passOn = (signal) => {
      interruptedBy = signal
      try {
        process.kill(-npm.pid, signal)
      } catch (error) {
        if (error.code !== 'ESRCH') throw error
      }
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, passOn)
    const stopListening = () => {
      for (const signal of signals) process.off(signal, passOn)
    }
    if (npm.pid !== undefined) options.lock.share(npm.pid)
    npm.on('error', (error) => {
      stopListening()
      reject(new CannotInstall(`cannot run npm (${error.message}). Is it installed and on PATH?`))
    })
    npm.on('exit', (code, signal) => {
      stopListening()
      if (interruptedBy !== null)
        reject(new CannotInstall('interrupted while installing; the next run installs afresh.'))
      else if (code === 0) resolve()
      else
        reject(
          new CannotInstall(
            `npm ci ${describeEnd(code, signal)}; what it said is above. Nothing was started. ` +
              'Check the network and the npm settings, then run the same command again.',
          ),
        )
    })
  })

const install = async (options) => {
  const { root, say } = options
  say(
    existsSync(join(root, 'node_modules'))
      ? 'The dependencies changed: installing what package-lock.json names (npm ci) …'
      : 'First run: installing the locked dependencies (npm ci), which takes a minute …',
  )
  // npm ci empties node_modules, not in any order: nothing that says "installed" may outlive an interruption.
  rmSync(stampOf(root), { force: true })
  rmSync(hiddenLockOf(root), { force: true })
  await runNpm(options)
  if (!existsSync(join(root, 'node_modules', '.bin', 'node')))
    throw new CannotInstall(
      'npm ci succeeded but left no node_modules/.bin/node. Do the npm settings forbid install scripts?',
    )
  writeFileSync(stampOf(root), wantedStamp(root))
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
