import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** A text file of the project; `path` is relative to its root, with slashes. */
export type ProjectFile = { path: string; text: string }

/** Something that breaks a rule; `line` counts from 1. */
export type Finding = { path: string; line: number; problem: string }

/** A rule of the project that no linter knows. Pure: texts in, findings out. */
export type Rule = (files: readonly ProjectFile[]) => Finding[]

const FOLDERS = ['src', 'clients', 'examples', 'test', 'scripts', 'bench', 'proto', 'docs', 'deploy', '.ci']

/** Written by machines: judged by regeneration, not by rules of style. */
const GENERATED = ['src/gen/', 'clients/typescript/dist/', 'package-lock.json']

const TEXT = /\.(?:ts|mts|mjs|py|php|md|txt|proto|json|ya?ml|sh|html|css|conf|service)$|^\.ci\/|Dockerfile/

/** Reads every text file of the project at `root` that a person wrote. A folder that is not there has no files. */
export const readProject = async (root: string): Promise<ProjectFile[]> => {
  const paths = [...(await rootFiles(root)), ...(await Promise.all(FOLDERS.map(filesIn(root)))).flat()]
  const wanted = paths.filter((path) => TEXT.test(path) && !GENERATED.some((start) => path.startsWith(start)))
  return Promise.all(
    wanted.sort().map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
  )
}

const rootFiles = async (root: string): Promise<string[]> => {
  const entries = await readdir(root, { withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

const filesIn =
  (root: string) =>
  async (folder: string): Promise<string[]> => {
    const entries = await readdir(join(root, folder), { recursive: true }).catch(() => [])
    return entries.map((entry) => `${folder}/${entry.split(sep).join('/')}`)
  }

/** Every match of a global pattern in a file, with the line it begins on. */
export const matchesIn = (file: ProjectFile, pattern: RegExp): { line: number; match: RegExpExecArray }[] =>
  [...file.text.matchAll(pattern)].map((match) => ({
    line: file.text.slice(0, match.index).split('\n').length,
    match,
  }))
