import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { printTable } from '../report.ts'
import type { Figures } from './measure.ts'

/** The way of a payment, and what is not of one stage alone. */
const STAGES = [
  'request accepted',
  'HTTP of requests and callbacks',
  'push to Daraja',
  'callback stored and settled',
  'published',
  'delivered to the partner',
  'everything else',
] as const

type Stage = (typeof STAGES)[number]

/** A part of a whole by stage; together 1. */
type Shares = Partial<Record<Stage, number>>

/** What a statement of Postgres took, and whose it is by its text. */
export type StatementTime = { query: string; ms: number }

/** Where the sources are, the more exact first. */
const FOLDERS: readonly (readonly [RegExp, Stage])[] = [
  [/\/src\/(?:core\/(?:submit|daraja)|simulator)\//, 'push to Daraja'],
  [/\/src\/(?:core\/(?:callback|settle)|facade\/callback)\//, 'callback stored and settled'],
  [/\/src\/(?:core\/outbox|queue)\/|\/nats\//, 'published'],
  [/\/src\/(?:core\/(?:request|services|partners|overload)|facade|database\/mark)\//, 'request accepted'],
  [/\/src\/dispatcher\//, 'delivered to the partner'],
  [/\/src\/core\/(?:reconcile|status|payers|events)\//, 'everything else'],
]

/** What belongs to nobody by itself: no source of ours is on the stack. */
const LIBRARIES: readonly (readonly [RegExp, Stage])[] = [
  [/node:_http_(?:server|incoming)|\/fastify\/|\/find-my-way\//, 'HTTP of requests and callbacks'],
]

/** The first that fits a statement; all others are everything else. */
const STATEMENTS: readonly (readonly [RegExp, Stage])[] = [
  [/INSERT INTO payments |api_keys|idempotency_keys/i, 'request accepted'],
  [
    /INSERT INTO deliveries|INSERT INTO receipts|INSERT INTO callbacks|to_interpret/i,
    'callback stored and settled',
  ],
  [/to_submit|INSERT INTO to_query/i, 'push to Daraja'],
  [/attempts/i, 'delivered to the partner'],
  [/publish/i, 'published'],
  [/to_deliver|endpoints/i, 'delivered to the partner'],
]

type Profile = {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

/**
 * Prints what a payment costs by stage, ms of CPU: the processes' CPU by their profiles, Postgres' by the time of its
 * statements. What no stage can be found for (the garbage collector, timers, reading Postgres' answers) is spread over
 * the stages as the rest is.
 */
export const printStages = (options: {
  folder: string
  cpuMs: Figures['cpuMs']
  statements: readonly StatementTime[]
}): void => {
  const { folder, cpuMs } = options
  const profiles = readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => timesOf(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
  const dispatches = (times: Shares): boolean =>
    (times['delivered to the partner'] ?? 0) > (times['request accepted'] ?? 0)
  const web = toShares(profiles.filter((times) => !dispatches(times)))
  const worker = toShares(profiles.filter(dispatches))
  const postgres = toShares(
    options.statements.map(({ query, ms }) => ({ [stageOf(STATEMENTS, query) ?? 'everything else']: ms })),
  )
  const rows = STAGES.map((stage) => {
    const node = (web[stage] ?? 0) * cpuMs.web + (worker[stage] ?? 0) * cpuMs.worker
    const database = (postgres[stage] ?? 0) * cpuMs.postgres
    const broker = stage === 'published' ? cpuMs.broker : 0
    return {
      stage,
      'ms a payment': (node + database + broker).toFixed(3),
      Node: node.toFixed(3),
      Postgres: database.toFixed(3),
      NATS: broker.toFixed(3),
    }
  })
  process.stdout.write('\nCPU of a payment by stage\n')
  printTable(rows)
}

const stageOf = (rules: readonly (readonly [RegExp, Stage])[], text: string): Stage | undefined =>
  rules.find(([pattern]) => pattern.test(text))?.[1]

const toShares = (parts: readonly Shares[]): Shares => {
  const sums = STAGES.map(
    (stage) => [stage, parts.reduce((sum, part) => sum + (part[stage] ?? 0), 0)] as const,
  )
  const all = sums.reduce((sum, [, time]) => sum + time, 0)
  return Object.fromEntries(sums.map(([stage, time]) => [stage, time / all]))
}

/** The time of a profile by stage, µs: of each sample the innermost function of ours decides. */
const timesOf = ({ nodes, samples, timeDeltas }: Profile): Shares => {
  const stages = new Map<number, Stage | undefined>()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])))
  const stageOfNode = (id: number): Stage | undefined => {
    if (stages.has(id)) return stages.get(id)
    const stack: string[] = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      stack.push(byId.get(at)?.callFrame.url ?? '')
    }
    const isLoading = stack.some((url) => url.startsWith('node:internal/modules'))
    const ours = stack.map((url) => stageOf(FOLDERS, url)).find((stage) => stage !== undefined)
    const stage = isLoading ? undefined : (ours ?? stageOf(LIBRARIES, stack.join('\n')))
    stages.set(id, stage)
    return stage
  }
  const times: Shares = {}
  for (const [index, id] of samples.entries()) {
    const stage = stageOfNode(id)
    if (stage !== undefined) times[stage] = (times[stage] ?? 0) + (timeDeltas[index] ?? 0)
  }
  return times
}
