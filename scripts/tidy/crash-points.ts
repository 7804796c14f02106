import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

// Every hand-over stands between two crash points of its own, so that the suite can kill a process on either side of it. A
// hand-over is what others can see once it is done: a commit, a request that leaves the process, an acknowledgement.

/** Where payments, callbacks and deliveries are handed over. */
const HAND_OVER_FILES =
  /^src\/(?:core\/(?:request|submit|callback|settle|reconcile|outbox|payments|deliveries|signals)|dispatcher(?:\/[^/]+)?)\/[^/]+\.ts$/

const POINT = /\bcrashPoint\('([a-z_]+)\.(before|after)_([a-z]+)'/g

/** Where a function (or anything else) of a file's own begins. */
const DECLARATION = /^(?:export )?(?:const|async function|function|type|class) /gm

/** A transaction: its first point is inside, just before the commit. */
const TRANSACTION = /\.transaction\(\)/g

/** A statement, up to what it runs on. */
const STATEMENT = /\bsql(?:<[^`]*?>)?`((?:[^`])*)`\s*\.execute\(([^)]*)\)/g

const WRITES = /\b(?:INSERT INTO|UPDATE (?!OF\b|SKIP\b)\w+|DELETE FROM)/

/** What leaves the process, what is acknowledged, and what makes a file durable or takes it away. */
const SENDS =
  /\b(?:pushStk|queryStk|registerPull|pullPage)\(|\bposter\.post\(|\bqueue\.publish\(|\bmessage\.ack\(\)|(?<!\b(?:transaction|query)\s*)\.(?:insertInto|updateTable|deleteFrom)\(|\.(?:sync|datasync)\(\)|\b(?:rename|unlink|rm)\(/g

/** Something found in a file at an offset; `name` is a crash point's, without its side. */
type Mark = { at: number; line: number; kind: 'transaction' | 'send' | 'before' | 'after'; name?: string }

/** The names of all crash points in the code, in the order of the files. */
export const crashPointNames = (files: readonly ProjectFile[]): string[] =>
  sources(files).flatMap((file) =>
    matchesIn(file, POINT).map(({ match }) => `${match[1]}.${match[2]}_${match[3]}`),
  )

/** Every hand-over stands between crash points of its own, and every name is used once. */
export const crashPoints: Rule = (files) => [
  ...sources(files)
    .filter(({ path }) => HAND_OVER_FILES.test(path))
    .flatMap((file) => declarationsOf(marksOf(file), file).flatMap((marks) => judge(file, marks))),
  ...repeated(files),
]

const sources = (files: readonly ProjectFile[]): ProjectFile[] =>
  files.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))

const marksOf = (file: ProjectFile): Mark[] => {
  const points = matchesIn(file, POINT).map(({ line, match }): Mark => {
    const kind = match[2] === 'before' ? 'before' : 'after'
    return { at: match.index, line, kind, name: `${match[1]} ${match[3]}` }
  })
  const transactions = matchesIn(file, TRANSACTION).map(
    ({ line, match }): Mark => ({ at: match.index, line, kind: 'transaction' }),
  )
  const statements = matchesIn(file, STATEMENT).filter(
    ({ match }) => WRITES.test(match[1] ?? '') && !match[2]?.endsWith('transaction'),
  )
  const sends = [...statements, ...matchesIn(file, SENDS)].map(
    ({ line, match }): Mark => ({ at: match.index, line, kind: 'send' }),
  )
  return [...points, ...transactions, ...sends].sort((one, other) => one.at - other.at)
}

/** The marks of each declaration of the file, those without marks left out. */
const declarationsOf = (marks: readonly Mark[], file: ProjectFile): Mark[][] => {
  const starts = [...file.text.matchAll(DECLARATION)].map((match) => match.index)
  const groups = Map.groupBy(marks, ({ at }) => starts.findLastIndex((start) => start <= at))
  return [...groups.values()]
}

/** Takes hand-overs one after the other with the two points that belong to each; what is left over is reported. */
const judge = (file: ProjectFile, marks: readonly Mark[]): Finding[] => {
  for (let index = 0; index < marks.length; index += 3) {
    const three = marks.slice(index, index + 3)
    const problem = problemOf(three)
    if (problem !== null) return [{ path: file.path, line: three[0]?.line ?? 1, problem }]
  }
  return []
}

const problemOf = (marks: readonly Mark[]): string | null => {
  const order = marks.map((mark) => mark.kind).join(' ')
  const [before, after] = marks.filter((mark) => mark.kind === 'before' || mark.kind === 'after')
  if (order !== 'before send after' && order !== 'transaction before after')
    return "a hand-over stands between two crash points of its own: crashPoint('name.before_verb'), crashPoint('name.after_verb')"
  return before?.name === after?.name ? null : `crash points of one hand-over have one name and one verb`
}

const repeated = (files: readonly ProjectFile[]): Finding[] => {
  const seen = new Set<string>()
  return sources(files).flatMap((file) =>
    matchesIn(file, POINT).flatMap(({ line, match }): Finding[] => {
      const name = `${match[1]}.${match[2]}_${match[3]}`
      if (!seen.has(name)) {
        seen.add(name)
        return []
      }
      return [{ path: file.path, line, problem: `there is a crash point ${name} already` }]
    }),
  )
}
