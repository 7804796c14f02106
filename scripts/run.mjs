// The first thing that runs in a fresh clone, by whatever Node the machine has (16 or later): plain JavaScript that needs
// nothing installed. `node scripts/run.mjs <gateway | file.ts | name of an installed command> [arguments]` installs the
// locked dependencies when they are missing or stale, then runs the gateway or the file with the pinned Node, or the
// command. Standard output belongs to what is run; exit code and signals are passed through.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ENTRY, placeOf } from './bundle/place.mjs'
import { binaries, CannotInstall, ensureInstalled, print, root } from './install.mjs'

/** The bundle of the gateway when it is that of the present sources, which starts twice as fast as they do; else they. */
const findGateway = () => {
  const bundled = join(placeOf(root), ENTRY)
  return existsSync(bundled) ? bundled : join(root, 'src', 'cli', 'main.ts')
}

const isPinnedNode = () => realpathSync(process.execPath) === realpathSync(join(binaries, 'node'))

/** Becomes the gateway: a process less to start. */
const becomeGateway = async (file, given) => {
  process.chdir(root)
  process.argv.splice(1, process.argv.length, file, ...given)
  await import(pathToFileURL(file).href)
}

/** Runs the target to its end and resolves with its exit code; 128 and the signal's number when a signal ended it. */
const run = (target, given) =>
  new Promise((resolve, reject) => {
    const isFile = /\.m?[jt]s$/.test(target)
    const command = join(binaries, isFile ? 'node' : target)
    if (!existsSync(command)) throw new CannotInstall(`there is no command ${target}`)
    const child = spawn(command, isFile ? [target, ...given] : given, {
      cwd: root,
      stdio: 'inherit',
      env: {
        NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
        ...process.env,
        PATH: [binaries, process.env.PATH].filter(Boolean).join(delimiter),
      },
    })
    // Ctrl-C in a terminal reaches the whole process group, so the child has it already: here it must only not end us first.
    process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    process.on('SIGHUP', () => child.kill('SIGHUP'))
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code))
  })

const main = async () => {
  const [target, ...given] = process.argv.slice(2)
  if (target === undefined)
    throw new CannotInstall('usage: node scripts/run.mjs <gateway | file.ts | command> [arguments]')
  await ensureInstalled()
  if (target !== 'gateway') process.exitCode = await run(target, given)
  else if (isPinnedNode()) await becomeGateway(findGateway(), given)
  else process.exitCode = await run(findGateway(), given)
}

main().catch((error) => {
  const isExplained = error instanceof CannotInstall
  print(isExplained ? error.message : error.stack)
  process.exitCode = isExplained ? error.exitCode : 1
})
