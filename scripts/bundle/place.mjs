// Where the bundle of the present sources is. Plain JavaScript for whatever Node the machine has (16 or later), since
// `scripts/run.mjs` asks before anything is installed.
import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The file of a bundle that is started. */
export const ENTRY = 'gateway.mjs'

/** The files of a folder and of those in it, in one order. */
const filesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesIn(path) : [path]
    })

/** Where all bundles of a checkout are, each by what it was made of. */
export const bundlesOf = (root) => join(root, '.data', 'bundles')

/**
 * The folder that the bundle of the checkout in `root` has, made or not: another one as soon as a source, what is
 * installed or what makes it changes, told by names, sizes and times of files.
 */
export const placeOf = (root) => {
  const files = [
    ...filesIn(join(root, 'src')),
    ...filesIn(dirname(fileURLToPath(import.meta.url))),
    join(root, 'package-lock.json'),
  ]
  const digest = createHash('sha256')
  for (const file of files) {
    const { size, mtimeMs } = statSync(file)
    digest.update(`${file} ${size} ${mtimeMs}\n`)
  }
  return join(bundlesOf(root), digest.digest('hex').slice(0, 16))
}
