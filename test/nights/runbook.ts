import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sectionNamed } from '../../scripts/tidy/runbooks.ts'
import { blocksOf } from '../docs/page-blocks.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'runbooks')

const SHELL = /```sh\n([\s\S]*?)```/g

const linesOf = (block: string): string[] => block.trimEnd().split('\n')

/** Every command that a section of a runbook shows, in its order. Throws where there is no such section. */
export const commandsOf = async (page: string, heading: string): Promise<string[]> => {
  const section = sectionNamed(heading, await readFile(join(FOLDER, `${page}.md`), 'utf8'))
  if (section === null) throw new Error(`${page}.md has no section ${heading}`)
  return [...section.text.matchAll(SHELL)].flatMap(([, block = '']) => linesOf(block))
}

/** Every command that the runbooks mark to be run, each once; those of the breach, which end most, come last. */
export const markedCommands = async (): Promise<string[]> => {
  const names = (await readdir(FOLDER)).filter((name) => name !== 'breach.md')
  const pages = [...names, 'breach.md'].map((name) => readFile(join(FOLDER, name), 'utf8'))
  const blocks = (await Promise.all(pages)).flatMap(blocksOf)
  return [...new Set(blocks.flatMap(({ command }) => linesOf(command)))]
}
