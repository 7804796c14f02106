import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './check/run-command.ts'
import { fillIn, isPage } from './tidy/generated-parts.ts'
import { readProject } from './tidy/project.ts'

// `npm run generate`: writes what is made from other files, to be committed: `src/gen` from `proto`, and the parts of the
// pages that stand between markers from the code.

const generateCode = async (root: string): Promise<void> => {
  const { code, output, problem } = await runCommand(root, 'buf', ['generate'])
  if (code !== 0) throw new Error(`buf generate failed: ${problem ?? output}`)
  process.stdout.write('src/gen is written from proto\n')
}

const generateParts = async (root: string): Promise<void> => {
  for (const page of (await readProject(root)).filter(isPage)) {
    const text = fillIn(page.text)
    if (text === page.text) continue
    await writeFile(join(root, page.path), text)
    process.stdout.write(`${page.path} is brought into step with the code\n`)
  }
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
await generateCode(root)
await generateParts(root)
