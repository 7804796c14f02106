import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Downloads Debian packages with the machine's apt and unpacks all of them into the folder, which must be there. Needs no
 * root, and leaves the system as it is. Throws what apt says when it cannot.
 */
export const unpackPackages = async (options: {
  packages: readonly string[]
  folder: string
  signal: AbortSignal
}): Promise<void> => {
  const { folder, signal } = options
  const workFolder = await mkdtemp(join(folder, 'packages-'))
  try {
    await download(options.packages, workFolder, signal)
    const archives = (await readdir(workFolder)).filter((name) => name.endsWith('.deb'))
    if (archives.length === 0) throw new Error('apt-get downloaded no package')
    for (const archive of archives)
      await run('dpkg-deb', ['-x', join(workFolder, archive), folder], { signal })
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}

/** Downloads into the folder; with lists of its own, which need no rights, when the machine has none or old ones. */
const download = async (packages: readonly string[], folder: string, signal: AbortSignal): Promise<void> => {
  const apt = (...args: string[]): Promise<unknown> => run('apt-get', args, { cwd: folder, signal })
  try {
    await apt('download', ...packages)
  } catch {
    signal.throwIfAborted()
    const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')]
    await mkdir(join(lists, 'partial'), { recursive: true })
    await mkdir(join(cache, 'archives', 'partial'), { recursive: true })
    const places = [`Dir::State::lists=${lists}`, `Dir::Cache=${cache}`, 'APT::Sandbox::User=root']
    const settings = places.flatMap((place) => ['-o', place])
    await apt(...settings, 'update')
    await apt(...settings, 'download', ...packages)
  }
}
