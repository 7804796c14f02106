import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Outcome, toOutcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

/** Where buf writes, below the root. */
const GENERATED = join('src', 'gen')

/** Generates the code anew, elsewhere, and compares it byte for byte with what is committed. */
export const checkGeneratedCode = async (root: string): Promise<Outcome> => {
  const folder = await mkdtemp(join(tmpdir(), 'mpesa-gateway-generated-'))
  try {
    const generated = await runCommand(root, 'buf', ['generate', '-o', folder])
    if (generated.code !== 0) return toOutcome(generated)
    const differing = differences(
      await readTree(join(root, GENERATED)),
      await readTree(join(folder, GENERATED)),
    )
    if (differing.length === 0) return { kind: 'passed' }
    const list = differing.map((path) => `${join(GENERATED, path)} differs from what proto says\n`).join('')
    return { kind: 'failed', output: `${list}Run \`npm run generate\` and commit what it writes.\n` }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Tree = ReadonlyMap<string, Buffer>

const readTree = async (folder: string): Promise<Tree> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const contents = await Promise.all(files.map((file) => readFile(file)))
  return new Map(
    files.map((file, index) => [file.slice(folder.length + 1), contents[index] ?? Buffer.alloc(0)]),
  )
}

const differences = (is: Tree, should: Tree): string[] =>
  [...new Set([...is.keys(), ...should.keys()])]
    .filter((path) => !(is.get(path)?.equals(should.get(path) ?? Buffer.from('absent')) ?? false))
    .sort()
