import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

/** Tests that are chosen or left out by hand. */
const CHOSEN = /\b(?:test|it|describe|suite)(?:\.\w+)*\.(?:only|skip|todo)\b/g

/** A pause of a fixed length, ms; `test/support` waits for conditions with pauses far below it. */
const SLEEP =
  /\b(?:pause|sleep|delay)\(\s*([\d_]+)|\bsetTimeout\([^;]{0,200}?,\s*([\d_]+)\s*\)|\bsetTimeout\(\s*([\d_]+)\s*[,)]/g

const LONGEST_PAUSE_MS = 99

/** Every test runs, and none waits for a length of time instead of for what it wants to see. */
export const testHabits: Rule = (files) => files.filter(isTestCode).flatMap(judge)

// The test of this rule writes down what no other may.
const isTestCode = ({ path }: ProjectFile): boolean =>
  /^test\/.*\.m?ts$/.test(path) && !path.startsWith('test/scripts/tidy')

const judge = (file: ProjectFile): Finding[] => {
  const chosen = matchesIn(file, CHOSEN).map(({ line, match }) => ({
    path: file.path,
    line,
    problem: `${match[0]}: every test runs`,
  }))
  const sleeps = matchesIn(file, SLEEP).map(({ line, match }) => ({
    path: file.path,
    line,
    lengthMs: Number((match[1] ?? match[2] ?? match[3] ?? '0').replaceAll('_', '')),
  }))
  const long = sleeps.filter(({ lengthMs }) => lengthMs > LONGEST_PAUSE_MS)
  return chosen.concat(
    long.map(({ path, line, lengthMs }) => ({
      path,
      line,
      problem: `waits ${lengthMs} ms: wait for the condition instead (vi.waitFor, test/support)`,
    })),
  )
}
