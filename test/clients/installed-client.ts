import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openTestFolder, type TestFolder } from '../support/folder.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PACKAGE = join('clients', 'typescript')

/** What the package is made of, below the root. */
const SOURCES = [PACKAGE, join('src', 'gen'), 'tsconfig.json']

/** Without a registry and without what it once fetched, npm cannot install what the client depends on. */
const NO_REGISTRY = /ENOTCACHED|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH/

const run = promisify(execFile)

/** What is written to a folder, and what npm says when it cannot install there. */
export type InstalledClient = TestFolder & { files: string[] }

/**
 * Packs the client, installs the package in an empty folder as whoever uses it does, and puts its examples beside. Null where
 * no registry can be asked.
 */
export const installClient = async (): Promise<InstalledClient | null> => {
  const folder = await openTestFolder()
  try {
    const packed = await packInto(folder.path)
    await writeFile(join(folder.path, 'package.json'), '{"private":true,"type":"module"}')
    const words = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
    await run('npm', ['install', ...words, `./${packed}`], { cwd: folder.path })
    const installed = join(folder.path, 'node_modules', '@mpesa-gateway', 'client')
    await cp(join(installed, 'examples'), folder.path, { recursive: true })
    return { ...folder, files: await readdir(installed, { recursive: true }) }
  } catch (error) {
    await folder.close()
    if (NO_REGISTRY.test(String(error))) return null
    throw error
  }
}

/** Packs a copy of the sources, for two at once would write the same `dist`; resolves with the name of the package's file. */
const packInto = async (destination: string): Promise<string> => {
  const copy = await openTestFolder()
  try {
    for (const path of SOURCES) await cp(join(ROOT, path), join(copy.path, path), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(copy.path, 'node_modules'))
    const words = ['pack', '--silent', '--pack-destination', destination]
    const { stdout } = await run('npm', words, { cwd: join(copy.path, PACKAGE) })
    return stdout.trim()
  } finally {
    await copy.close()
  }
}

/** What a package.json says. */
export const readPackage = async (
  file: string,
): Promise<{ version: string; dependencies: Record<string, string> }> =>
  JSON.parse(await readFile(file, 'utf8'))
