import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sectionNamed } from '../../scripts/tidy/runbooks.ts'
import { blocksOf } from '../docs/page-blocks.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'runbooks')

const SHELL = /```sh\n([\s\S]*?)```/g

const linesOf = (block: string): string[] => block.trimEnd().split('\n')

/** A page of the runbooks, and the heading of a section there. */
export type Section = readonly [page: string, heading: string]

/** What a section says. Throws where there is no such section. */
export const sectionText = async ([page, heading]: Section): Promise<string> => {
  const section = sectionNamed(heading, await readFile(join(FOLDER, `${page}.md`), 'utf8'))
  if (section === null) throw new Error(`${page}.md has no section ${heading}`)
  return section.text
}

/** The command that a section shows and that begins so, the first that was not typed yet. Throws where there is none. */
export const commandOf = async (
  section: Section,
  beginning: string,
  typed: readonly string[],
): Promise<string> => {
  const text = await sectionText(section)
  const all = [...text.matchAll(SHELL)].flatMap(([, block = '']) => linesOf(block))
  const command = all.find((one) => one.startsWith(beginning) && !typed.includes(one))
  if (command === undefined) throw new Error(`the runbook does not show: ${beginning}`)
  return command
}

/** The page of the console that a section leads to. */
export const consolePathOf = async (section: Section): Promise<string> => {
  const path = /Console: `(\/[^`]*)`/.exec(await sectionText(section))?.[1]
  if (path === undefined) throw new Error(`${section.join(', ')} leads to no page of the console`)
  return path
}

/** A text of a runbook with what is here in the place of its examples. */
export const asThere = (text: string, places: Readonly<Record<string, string>>): string =>
  Object.entries(places).reduce((filled, [example, own]) => filled.replaceAll(example, own), text)

/** Every command that the runbooks mark to be run, each once; those of the breach, which end most, come last. */
export const markedCommands = async (): Promise<string[]> => {
  const names = (await readdir(FOLDER)).filter((name) => name !== 'breach.md')
  const pages = [...names, 'breach.md'].map((name) => readFile(join(FOLDER, name), 'utf8'))
  const blocks = (await Promise.all(pages)).flatMap(blocksOf)
  return [...new Set(blocks.flatMap(({ command }) => linesOf(command)))]
}
