import { execFile } from 'node:child_process'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { commandOf, parseContainerfile, type Stage, variablesOf } from './containerfile.ts'
import { enterToBuild, makeRoot } from './own-root.ts'

const PROJECT = join(import.meta.dirname, '..', '..')

/** An image as a folder: its root, and what its Containerfile says of who is started in it. */
export type Image = {
  root: string
  user: string
  folder: string
  environment: Record<string, string>
  /** What stands behind the instruction the last time; '' where it does not stand there. */
  said(word: string): string
}

type Building = Omit<Image, 'said'> & { steps: Stage['steps'] }

/** Does what deploy/Containerfile says, stage after stage, in folders of `folder`; resolves with the last one. */
export const buildImage = async (folder: string): Promise<Image> => {
  const stages = parseContainerfile(await readFile(join(PROJECT, 'deploy', 'Containerfile'), 'utf8'))
  const built = new Map<string | null, Building>()
  for (const [index, { name, steps }] of stages.entries()) {
    const building: Building = {
      root: join(folder, `stage-${index}`),
      user: '0:0',
      folder: '/',
      environment: {},
      steps,
    }
    await makeRoot(building.root)
    for (const step of steps) await take(building, step, built)
    built.set(name, building)
  }
  const last = built.get(null)
  if (last === undefined) throw new Error('the last stage must have no name')
  return { ...last, said: (word) => last.steps.findLast((step) => step.word === word)?.rest ?? '' }
}

/** What is only noted down, for who starts a container. */
const NOTES = new Set(['ARG', 'LABEL', 'VOLUME', 'EXPOSE', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'])

const take = async (
  building: Building,
  { word, rest }: { word: string; rest: string },
  built: ReadonlyMap<string | null, Building>,
): Promise<void> => {
  switch (word) {
    case 'WORKDIR':
      building.folder = rest
      await mkdir(join(building.root, rest), { recursive: true })
      return
    case 'USER':
      building.user = rest
      return
    case 'ENV':
      Object.assign(building.environment, variablesOf(rest))
      return
    case 'COPY':
      return copy(building, rest, built)
    case 'RUN':
      return run(building, commandOf(rest))
    default:
      if (!NOTES.has(word)) throw new Error(`there is no ${word}`)
  }
}

/** A file comes to be under the last name, or in it where that ends with a slash; of a folder what is in it. */
const copy = async (
  { root, folder }: Building,
  rest: string,
  built: ReadonlyMap<string | null, Building>,
): Promise<void> => {
  const [, stage, names = ''] = /^(?:--from=(\w+) )?(.*)$/.exec(rest) ?? []
  const from = stage === undefined ? PROJECT : built.get(stage)?.root
  if (from === undefined) throw new Error(`there is no stage ${stage}`)
  const sources = names.split(' ')
  const target = sources.pop() ?? ''
  const place = target.startsWith('/') ? join(root, target) : join(root, folder, target)
  for (const source of sources) {
    const isInside = target.endsWith('/') && !(await stat(join(from, source))).isDirectory()
    const to = isInside ? join(place, basename(source)) : place
    await mkdir(dirname(to), { recursive: true })
    await promisify(execFile)('cp', ['-R', '-T', join(from, source), to])
  }
}

const run = async ({ root, user, folder, environment: given }: Building, words: string[]): Promise<void> => {
  const inside = { root, user, folder, words: asOneWord(words) }
  const { file, args, environment } = await enterToBuild(inside, PROJECT)
  await promisify(execFile)(file, args, { env: { ...environment, ...given } })
}

/** The suite has whoever is seen to start the gateway load a file of its own, which no image has. */
const asOneWord = (words: string[]): string[] =>
  words.includes('-c') ? words : ['sh', '-c', `exec ${words.join(' ')}`]
