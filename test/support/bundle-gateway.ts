import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type Plugin, rolldown } from 'rolldown'

const run = promisify(execFile)

/** A bundle that no run has used for so long goes, ms. */
const UNUSED_MS = 86_400_000

/** What a process keeps compiled when it ends in order; most of those that tests start are killed. */
const COMPILED_FIRST = ['serve', 'dispatch', 'simulator']

/** What so many parts of the bundle use, most processes load: it is one file of theirs, for each file takes its time to find and link. */
const SHARED_BY = 12

/**
 * Makes few files of the gateway and all that it imports, in `folder`, and resolves with the file to start: Node reads them in a
 * third of the CPU that it takes for the hundreds of the sources. A command still loads what it needs, and no more. What was
 * bundled of the same sources before is used again.
 */
export const bundleGateway = async (root: string, folder: string): Promise<string> => {
  const bundle = join(folder, await digestOf(root))
  const main = mainIn(bundle)
  if (await isThere(main)) await utimes(bundle, new Date(), new Date())
  else await make(root, bundle)
  await deleteUnused(folder)
  return main
}

/** Named like the sources, so that `main.ts` keeps what Node compiles inside of the bundle. */
const mainIn = (bundle: string): string => join(bundle, 'src', 'cli', 'main.js')

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Changes with the sources, with what is installed, with the Node and with this file. */
const digestOf = async (root: string): Promise<string> => {
  const names = await readdir(join(root, 'src'), { recursive: true })
  const sources = names.filter((name) => name.endsWith('.ts')).toSorted()
  const files = [
    ...sources.map((name) => join(root, 'src', name)),
    join(root, 'package-lock.json'),
    import.meta.filename,
  ]
  const digest = createHash('sha256').update(process.version)
  for (const text of await Promise.all(files.map((file) => readFile(file)))) digest.update(text).update('\0')
  return digest.update(sources.join('\0')).digest('hex').slice(0, 16)
}

/** It reads files that stand beside its own. */
const FOUND_BY_PATH = /^@grpc\/reflection/

/** As a module, Node's `http` reads every lazy part of it, undici among them: 0.04 s of CPU of each process. */
const requireHttp: Plugin = {
  name: 'require-http',
  resolveId: (id) => (id === 'node:http' ? '\0http' : null),
  load: (id) => (id === '\0http' ? `module.exports = process.getBuiltinModule('http')` : null),
}

/** What a source names by where it stands beside it, as a file of the docs, stays where it is. */
const keepFiles: Plugin = {
  name: 'keep-files',
  transform: (code, id) =>
    code.replaceAll(
      /new URL\((['"])(\.[^'"]+)\1, import\.meta\.url\)/g,
      (_, _quote, path: string) => `new URL(${JSON.stringify(new URL(path, pathToFileURL(id)).href)})`,
    ),
}

/** Whoever else makes the same one meanwhile may be first. */
const make = async (root: string, bundle: string): Promise<void> => {
  const own = `${bundle}.${process.pid}`
  const input = join(root, 'src', 'cli', 'main.ts')
  await using bundler = await rolldown({
    input,
    platform: 'node',
    plugins: [requireHttp, keepFiles],
    external: FOUND_BY_PATH,
  })
  await bundler.write({
    dir: dirname(mainIn(own)),
    format: 'esm',
    // By its name Node knows what it is, and looks for no package.json around it.
    chunkFileNames: '[name]-[hash].mjs',
    codeSplitting: { groups: [{ name: 'shared', minShareCount: SHARED_BY }] },
  })
  await rename(own, bundle).catch(() => rm(own, { recursive: true }))
  for (const command of COMPILED_FIRST) await run(process.execPath, [mainIn(bundle), command, '--help'])
}

const deleteUnused = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    const { mtimeMs } = await stat(join(folder, name))
    if (Date.now() - mtimeMs > UNUSED_MS) await rm(join(folder, name), { recursive: true, force: true })
  }
}
