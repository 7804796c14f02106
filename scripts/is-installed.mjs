import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

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

/** Whether the pinned Node is there, which an install script puts into its place. */
export const hasNode = (root) => existsSync(join(root, 'node_modules', '.bin', 'node'))

/** Whether node_modules holds what package-lock.json names for this machine: by our stamp, else by npm's own list. */
export const isInstalled = (root) => {
  if (!hasNode(root)) return false
  if (readText(stampOf(root)) === wantedStamp(root)) return true
  if (!agreesWithLock(root)) return false
  try {
    markInstalled(root)
  } catch {
    // Installed by another user: then the longer comparison is made each time.
  }
  return true
}

/** Says that the install is whole, until package-lock.json changes. */
export const markInstalled = (root) => writeFileSync(stampOf(root), wantedStamp(root))

/** npm ci empties node_modules, not in any order: nothing that says "installed" may outlive an interruption. */
export const unmarkInstalled = (root) => {
  rmSync(stampOf(root), { force: true })
  rmSync(hiddenLockOf(root), { force: true })
}
