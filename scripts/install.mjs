import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { constants, homedir } from 'node:os'
import { basename, delimiter, dirname, join, sep } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const binaries = join(root, 'node_modules', '.bin')

const STAMP = join(root, 'node_modules', '.installed-from')
/** What npm says it put into node_modules. */
const NPMS_LIST = join(root, 'node_modules', '.package-lock.json')
const WANTED = join(root, 'package-lock.json')
const LOCK = join(root, '.data', 'install.lock')

/** An error that the operator can fix: printed without a stack. */
export class CannotInstall extends Error {
  constructor(message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

export const print = (text) => process.stderr.write(`mpesa-gateway: ${text}\n`)

/** The text of a file, or null. No `existsSync` first: another process may be installing, and delete it in between. */
const readText = (file) => {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

/** The packages that a lock file of npm names; null when it is not there or only half written. */
const packagesOf = (file) => {
  try {
    return JSON.parse(readText(file)).packages
  } catch {
    return null
  }
}

/** An install belongs to the locked versions and to the platform whose binaries it holds. */
const stampNow = () => {
  const hash = createHash('sha256').update(fs.readFileSync(WANTED)).digest('hex')
  return `${hash} ${process.platform}-${process.arch}\n`
}

/** Whether an optional package may be missing: one that is not surely for this platform (one with a C library may not be). */
const mayBeMissing = ({ optional, os, cpu, libc }) =>
  optional === true &&
  (libc !== undefined || !os?.includes(process.platform) || cpu?.includes(process.arch) === false)

/** Whether somebody ran `npm ci` by hand: npm's own list then agrees with package-lock.json. */
const isInstalledByHand = () => {
  const found = packagesOf(NPMS_LIST)
  return (
    Boolean(found) &&
    Object.entries(packagesOf(WANTED)).every(
      ([path, entry]) =>
        path === '' ||
        (found[path]
          ? found[path].integrity === entry.integrity && fs.existsSync(join(root, path))
          : mayBeMissing(entry)),
    )
  )
}

/** The pinned Node is put into its place by an install script, the last step of an install. */
const hasNode = () => fs.existsSync(join(binaries, 'node'))
const isInstalled = () => hasNode() && (readText(STAMP) === stampNow() || isInstalledByHand())

const isAlive = (pid) => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** No install takes an hour: after that the pid in the lock is taken to be another process's by now. */
const LONGEST_INSTALL_MS = 3_600_000

/** The pid of the running process that holds the lock in the file, or undefined. */
const holderOf = (file) => {
  try {
    if (Date.now() - fs.statSync(file).mtimeMs > LONGEST_INSTALL_MS) return undefined
    return fs
      .readFileSync(file, 'utf8')
      .split(/\D+/)
      .map(Number)
      .find((pid) => pid > 0 && isAlive(pid))
  } catch {
    return undefined
  }
}

/** Writes the pids that hold the lock; false when `place` (fs.linkSync: only if nobody has it) finds another's. */
const writeLock = (pids, place) => {
  const own = `${LOCK}.${process.pid}`
  fs.mkdirSync(dirname(LOCK), { recursive: true })
  fs.writeFileSync(own, pids.join(' '))
  try {
    place(own, LOCK)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    fs.rmSync(own, { force: true })
  }
}

/** Removes a lock whose holders are gone. It may be another's by the time it is moved: then it is moved back. */
const removeStaleLock = () => {
  const moved = `${LOCK}.${process.pid}.stale`
  try {
    fs.renameSync(LOCK, moved)
    if (holderOf(moved) !== undefined) fs.linkSync(moved, LOCK)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  } finally {
    fs.rmSync(moved, { force: true })
  }
}

/** Settings that the npm around this process hands down and that would change what is installed, where, or what is printed. */
const NOT_HANDED_DOWN =
  /^npm_(lifecycle_|package_|command$|config_(omit|include|only|also|production|dev|optional|global|location|prefix|local_prefix|dry_run|package_lock|package_lock_only|workspaces?|include_workspace_root|json|loglevel|silent|ignore_scripts|engine_strict|install_strategy|foreground_scripts)$)/i

/** Install scripts are wanted: one puts the pinned Node into its place. Which packages may run any is in package.json. */
const NPM_ARGUMENTS =
  'ci --include=dev --include=optional --ignore-scripts=false --engine-strict=false --no-audit --no-fund --no-update-notifier --loglevel=error'

const isWritable = (folder) => {
  try {
    fs.accessSync(folder, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The environment of npm: without this project's node_modules in PATH, and with a cache that can be written without a home. */
const npmEnvironment = () => {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !NOT_HANDED_DOWN.test(name)),
  )
  const folders = (environment.PATH || '').split(delimiter)
  environment.PATH = folders
    .filter((folder) => !folder.startsWith(join(root, 'node_modules') + sep))
    .join(delimiter)
  if (!environment.npm_config_cache && !(homedir() && isWritable(homedir())))
    environment.npm_config_cache = join(root, '.data', 'npm-cache')
  if (environment.HOME === '') delete environment.HOME
  return environment
}

/** The npm that called this process, run by its own Node; where another tool did, the one on PATH. */
const npmCommand = () => {
  const file = process.env.npm_execpath
  if (!file || basename(file) !== 'npm-cli.js' || !fs.existsSync(file)) return ['npm']
  return [process.execPath.startsWith(join(root, 'node_modules') + sep) ? 'node' : process.execPath, file]
}

/** Runs `npm ci` to its end. A process group of its own is ended whole: npm alone would leave the scripts that it runs. */
const runNpmCi = () =>
  new Promise((resolve, reject) => {
    const [command, ...first] = npmCommand()
    let interruptedBy = null
    const passOn = (signal) => {
      interruptedBy = signal
      if (isAlive(npm.pid)) process.kill(-npm.pid, signal)
    }
    // Before npm starts: a signal that came in between would end this process and leave npm running.
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, passOn)
    const stopListening = () => signals.forEach((signal) => process.off(signal, passOn))
    const npm = spawn(command, [...first, ...NPM_ARGUMENTS.split(' ')], {
      cwd: root,
      env: npmEnvironment(),
      detached: true,
      // Standard output belongs to the command that is run afterwards.
      stdio: ['ignore', 2, 2],
    })
    npm.on('error', (error) => {
      stopListening()
      reject(new CannotInstall(`cannot run npm (${error.message}). Is it installed and on PATH?`))
    })
    if (npm.pid === undefined) return
    writeLock([process.pid, npm.pid], fs.renameSync)
    npm.on('exit', (code, signal) => {
      stopListening()
      if (interruptedBy !== null)
        reject(
          new CannotInstall(
            'interrupted while installing; the next run installs afresh.',
            128 + constants.signals[interruptedBy],
          ),
        )
      else if (code === 0) resolve()
      else
        reject(
          new CannotInstall(
            `npm ci ${signal ? `was ended by ${signal}` : `ended with code ${code}`}; what it said is above. Nothing was started. ` +
              'Check the network and the npm settings, then run the same command again.',
          ),
        )
    })
  })

const install = async () => {
  print(
    fs.existsSync(join(root, 'node_modules'))
      ? 'The dependencies are not those of package-lock.json: installing them anew (npm ci) …'
      : 'First run: installing the locked dependencies (npm ci), which takes a minute …',
  )
  // npm ci empties node_modules in no known order: what says "installed" goes first, and comes back last.
  for (const file of [STAMP, NPMS_LIST]) fs.rmSync(file, { force: true })
  await runNpmCi()
  if (!hasNode())
    throw new CannotInstall(
      'npm ci succeeded but left no node_modules/.bin/node. Do the npm settings forbid install scripts?',
    )
  fs.writeFileSync(STAMP, stampNow())
}

/**
 * Installs what package-lock.json names when node_modules is missing, stale or half done. Of several processes one installs
 * and the others wait; npm holds the lock too, for it may outlive this process. Throws `CannotInstall`.
 */
export const ensureInstalled = async () => {
  let reported = false
  while (!isInstalled()) {
    if (writeLock([process.pid], fs.linkSync)) {
      try {
        if (!isInstalled()) await install()
      } finally {
        fs.rmSync(LOCK, { force: true })
      }
      continue
    }
    const holder = holderOf(LOCK)
    if (holder === undefined) removeStaleLock()
    else {
      if (!reported)
        print(
          `Waiting for process ${holder}, which installs the dependencies (if it does not: delete ${LOCK}) …`,
        )
      reported = true
      await pause(250)
    }
  }
}
