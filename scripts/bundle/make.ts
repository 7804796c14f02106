import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type Plugin, rolldown } from 'rolldown'
import { bundlesOf, ENTRY, placeOf } from './place.mjs'

const run = promisify(execFile)

/** A bundle that nobody has asked for so long goes, ms. */
const UNUSED_MS = 86_400_000

/** What so many parts of the bundle use, most processes load: it is one file of theirs, for each file takes its time to find and link. */
const SHARED_BY = 12

/**
 * Makes few files of the gateway whose checkout is in `root` and of all that it imports, and resolves with the file to
 * start: Node reads them in less than half of the CPU that it takes for the hundreds of the sources. A command still
 * loads what it needs, and no more. What was bundled of the same sources before is used again.
 */
export const bundleGateway = async (root: string): Promise<string> => {
  const place = placeOf(root)
  const entry = join(place, ENTRY)
  if (await isThere(entry)) await utimes(place, new Date(), new Date())
  else {
    await makeBundle(root, place)
    // A process keeps what it has compiled when it ends in order; most of those that tests start are killed.
    await run(process.execPath, [entry, '--help'])
  }
  await deleteUnused(bundlesOf(root))
  return entry
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** It reads files that stand beside its own. */
const FOUND_BY_PATH = /^@grpc\/reflection/

/** As a module, Node's `http` reads every lazy part of it, undici among them: 0.04 s of CPU of each process. */
const requireHttp: Plugin = {
  name: 'require-http',
  resolveId: (id) => (id === 'node:http' ? '\0http' : null),
  load: (id) => (id === '\0http' ? `module.exports = process.getBuiltinModule('http')` : null),
}

/** What a source names by where it stands beside it, as a file of the docs, is found from `folder`, where the bundle is. */
const keepFiles = (folder: string): Plugin => ({
  name: 'keep-files',
  transform: (code, id) =>
    code.replaceAll(/new URL\((['"])(\.[^'"]+)\1, import\.meta\.url\)/g, (_, _quote, path: string) => {
      const file = fileURLToPath(new URL(path, pathToFileURL(id)))
      const fromBundle = relative(folder, file).split(sep).join('/')
      return `new URL(${JSON.stringify(fromBundle)}, import.meta.url)`
    }),
})

/**
 * Makes the bundle of the checkout in `root`, in `folder`, and resolves with the file to start. Whoever else makes the same
 * one meanwhile may be first.
 */
export const makeBundle = async (root: string, folder: string): Promise<string> => {
  const own = `${folder}.${process.pid}`
  await using bundler = await rolldown({
    input: { [ENTRY.replace('.mjs', '')]: join(root, 'src', 'cli', 'main.ts') },
    platform: 'node',
    plugins: [requireHttp, keepFiles(folder)],
    external: FOUND_BY_PATH,
    checks: { ineffectiveDynamicImport: false },
  })
  await bundler.write({
    dir: own,
    format: 'esm',
    // By its name Node knows what it is, and looks for no package.json around it.
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    codeSplitting: { groups: [{ name: 'shared', minShareCount: SHARED_BY }] },
  })
  await rename(own, folder).catch(() => rm(own, { recursive: true }))
  return join(folder, ENTRY)
}

const deleteUnused = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    const { mtimeMs } = await stat(join(folder, name))
    if (Date.now() - mtimeMs > UNUSED_MS) await rm(join(folder, name), { recursive: true, force: true })
  }
}
