import { type Image, imagesAfter, type Tearing } from './images.ts'
import type { MemoryDisk } from './memory-disk.ts'
import { quarantinedIds, type Recovered, recover } from './recover.ts'
import { FOLDER, type Note } from './scenarios.ts'

/** What was tried: instants of the power cut, states of the disk at all of them; and what was wrong. */
export type Verdict = { cuts: number; states: number; problems: string[] }

/** What is found in each state of the disk that was tried. */
export type Known = Map<string, Recovered>

/**
 * Cuts the power after each step, replays every state of the disk that POSIX allows then, and holds what is found against
 * what was said until then: each acknowledged callback is in Postgres, in the spool or kept aside, exactly as it came; none
 * is there that never came; what was damaged is kept, and stops nothing.
 */
export const cutEverywhere = async (
  disk: MemoryDisk<Note>,
  options: { tearing: Tearing /** Steps before the first cut. */; from?: number; known: Known },
): Promise<Verdict> => {
  const { tearing, from = 0, known } = options
  const verdict: Verdict = { cuts: 0, states: 0, problems: [] }
  for (let count = from + 1; count <= disk.steps.length; count += 1) {
    const steps = disk.steps.slice(0, count)
    const notes = steps.flatMap((step) => (step.kind === 'note' ? [step.note] : []))
    verdict.cuts += 1
    const judged = new Set<string>()
    for (const image of imagesAfter(steps, disk.root, tearing)) {
      const key = keyOf(image)
      const recovered = known.get(key) ?? (await recover(image, FOLDER))
      known.set(key, recovered)
      verdict.states += 1
      // One disk comes of many ways, and is judged by the same notes.
      if (judged.has(key)) continue
      judged.add(key)
      for (const problem of judge(notes, recovered))
        verdict.problems.push(`cut after step ${count}: ${problem}`)
    }
  }
  return verdict
}

/** What is wrong with what was found, after what was said. */
export const judge = (notes: readonly Note[], recovered: Recovered): string[] => {
  const given = new Map(notes.flatMap((note) => (note.kind === 'given' ? [[note.id, note.record]] : [])))
  const stored = new Set(notes.flatMap((note) => (note.kind === 'stored' ? [note.id] : [])))
  const found = new Set([...recovered.replayed.map(({ id }) => id), ...quarantinedIds(recovered)])
  return [
    ...recovered.problems,
    ...notes
      .filter((note) => note.kind === 'acknowledged')
      .filter(({ id }) => !stored.has(id) && !found.has(id))
      .map(({ id }) => `the acknowledged callback ${id} is lost`),
    ...recovered.replayed
      .filter(({ id, record }) => given.get(id) !== record)
      .map(({ id }) => `the callback ${id} never came as it is replayed`),
    ...notes
      .filter((note) => note.kind === 'damaged')
      .filter(({ bytes }) => !recovered.aside.includes(bytes))
      .map(() => 'what a disk damaged is not kept aside'),
  ]
}

const keyOf = (image: Image): string =>
  [...image]
    .map(([path, content]) => `${path} ${content === 'folder' ? '' : content.toString('base64')}`)
    .sort()
    .join('\n')
