import { posix } from 'node:path'
import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

// The import rule is one sentence: parts never import each other; only `cli` and `local` know more than one. The parts are
// facade, core, dispatcher, simulator and console. Core and dispatcher meet in `database` and `queue`, the two hand-overs.

const EVERYBODYS = ['values', 'runtime', 'gen']
const HAND_OVERS = ['database', 'queue']

/** What each folder of `src` may import beside itself; one that is not named here may import everything. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  values: ['gen'],
  gen: [],
  runtime: ['values'],
  database: EVERYBODYS,
  queue: EVERYBODYS,
  facade: EVERYBODYS,
  'remote-core': EVERYBODYS,
  simulator: EVERYBODYS,
  console: EVERYBODYS,
  core: [...EVERYBODYS, ...HAND_OVERS],
  dispatcher: [...EVERYBODYS, ...HAND_OVERS],
}

const LEAVES = ['daraja', 'outbox', 'audit', 'payments']
const STAGES = [
  'request',
  'submit',
  'callback',
  'settle',
  'reconcile',
  'events',
  'deliveries',
  'partners',
  'payers',
  'operators',
  'overload',
  'status',
  'statements',
  'totals',
  'timeline',
  'exceptions',
  'situation',
  'traffic',
]

/** What each folder of the core may import of the core: every stage that learns an outcome settles it. */
const CORE_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  daraja: [],
  audit: [],
  outbox: ['payments'],
  payments: [],
  request: LEAVES,
  overload: ['daraja', 'payments'],
  submit: [...LEAVES, 'settle'],
  callback: [...LEAVES, 'settle'],
  settle: LEAVES,
  reconcile: [...LEAVES, 'settle'],
  events: ['payments'],
  rehearsal: ['daraja', 'callback'],
  status: [],
  signals: ['daraja', 'payments'],
  situation: ['daraja'],
  traffic: [],
  deliveries: ['audit', 'payments'],
  partners: ['daraja', 'audit', 'deliveries'],
  payers: ['audit'],
  operators: ['audit'],
  statements: ['audit', 'daraja', 'payments'],
  totals: ['payments'],
  timeline: ['audit', 'daraja', 'deliveries', 'payments'],
  exceptions: ['audit', 'payments', 'settle'],
  restored: [...LEAVES, 'callback', 'deliveries'],
  services: [...STAGES, ...LEAVES],
  server: ['services'],
}

/** Who may use the packages that lead out of the process; packages not named here are anybody's. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  kysely: ['database', 'core', 'dispatcher', 'cli', 'local'],
  pg: ['database', 'local'],
  nats: ['queue', 'local'],
  '@grpc/grpc-js': ['core', 'remote-core', 'cli'],
  '@connectrpc/connect-node': ['core', 'cli'],
  commander: ['cli', 'local'],
  '@opentelemetry': ['runtime'],
}

/** Everything that is neither a part nor shared: puts the parts together. */
const COMPOSITION = new Set(['cli', 'local'])

const IMPORT = /(?:\bfrom|\bimport)\s+'([^']+)'|\bimport\(\s*'([^']+)'/g

/** Holds every import of `src` against the import rule. */
export const importRule: Rule = (files) =>
  files
    .filter((file) => file.path.startsWith('src/'))
    .flatMap((file) =>
      matchesIn(file, IMPORT).flatMap(({ line, match }): Finding[] => {
        const problem = judge(file, match[1] ?? match[2] ?? '')
        return problem === null ? [] : [{ path: file.path, line, problem }]
      }),
    )

const judge = (file: ProjectFile, specifier: string): string | null => {
  if (!specifier.startsWith('.')) return judgePackage(folderOf(file.path), specifier)
  return judgePath(file.path, posix.join(posix.dirname(file.path), specifier))
}

const folderOf = (path: string): string => path.split('/')[1] ?? ''

const judgePackage = (folder: string, specifier: string): string | null => {
  const owner = Object.keys(PACKAGES).find((name) => specifier === name || specifier.startsWith(`${name}/`))
  if (owner === undefined || PACKAGES[owner]?.includes(folder)) return null
  return `${folder} may not use the package ${owner}: only ${PACKAGES[owner]?.join(', ')}`
}

const judgePath = (from: string, to: string): string | null => {
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)]
  if (!to.startsWith('src/')) return `${fromFolder} may not import ${to}, which is not part of src`
  if (fromFolder === toFolder) return fromFolder === 'core' ? judgeWithinCore(from, to) : null
  if (COMPOSITION.has(fromFolder)) return null
  const allowed = FOLDERS[fromFolder]
  if (allowed === undefined) return `the import rule does not know the folder src/${fromFolder}`
  return allowed.includes(toFolder) ? null : `${fromFolder} may not import ${toFolder}`
}

/**
 * `core/core.ts` puts the stages together and may know all of them; nothing below may know it. What else is directly in
 * `core` is for all of it.
 */
const judgeWithinCore = (from: string, to: string): string | null => {
  const [fromFolder, toFolder] = [coreFolderOf(from), coreFolderOf(to)]
  if (fromFolder === null || fromFolder === toFolder) return null
  if (to === 'src/core/core.ts')
    return `core/${fromFolder} may not import ${to}, which puts the core together`
  if (toFolder === null) return null
  const allowed = CORE_FOLDERS[fromFolder]
  if (allowed === undefined) return `the import rule does not know the folder src/core/${fromFolder}`
  return allowed.includes(toFolder) ? null : `core/${fromFolder} may not import core/${toFolder}`
}

const coreFolderOf = (path: string): string | null => {
  const parts = path.split('/')
  return parts.length > 3 ? (parts[2] ?? null) : null
}
