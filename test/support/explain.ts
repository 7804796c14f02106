import { Client } from 'pg'
import { vi } from 'vitest'

/** A node of a plan, as `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` has it; of the rows, those of one loop. */
export type PlanNode = {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Parent Relationship'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: PlanNode[]
}

/** A statement that was run, and the plan by which it was. */
export type Explained = { text: string; plan: PlanNode }

/**
 * Settings of connections that say the plan of each statement that they run, by a module of Postgres' own that only a
 * superuser loads.
 */
export const EXPLAIN_ALL = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
}

/** Before the plan in a notice. */
const BEGINNING = 'plan:\n'

/** All that connections with `EXPLAIN_ALL` run from now on, as it is run: the list grows. */
export const collectPlans = (): Explained[] => {
  const explained: Explained[] = []
  const connect: Client['connect'] = Object.getOwnPropertyDescriptor(Client.prototype, 'connect')?.value
  vi.spyOn(Client.prototype, 'connect').mockImplementation(function (this: Client, ...given) {
    this.on('notice', ({ message = '' }) => {
      const start = message.indexOf(BEGINNING)
      if (start < 0) return
      const said = JSON.parse(message.slice(start + BEGINNING.length)) as {
        'Query Text': string
        Plan: PlanNode
      }
      explained.push({ text: said['Query Text'], plan: said.Plan })
    })
    return connect.apply(this, given)
  })
  return explained
}

/** The node and all below it. */
export const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** The blocks that a statement read or wrote, whether they were in memory or not. */
export const blocksOf = ({ plan }: Explained): number =>
  plan['Shared Hit Blocks'] + plan['Shared Read Blocks']

/** For how many rows a statement was run: those that it was given, changed or returned, whichever are more. */
export const rowsOf = ({ plan }: Explained): number => {
  const counted = nodesOf(plan).flatMap((node) => {
    if (node['Node Type'] === 'Function Scan') return [node]
    if (node['Node Type'] !== 'ModifyTable') return []
    return (node.Plans ?? []).filter((child) => child['Parent Relationship'] === 'Outer')
  })
  return Math.max(...[plan, ...counted].map((node) => node['Actual Rows'] * node['Actual Loops']))
}

/** The texts of the statements that read all of a table whose name fits. */
export const readWhole = (explained: readonly Explained[], tables: RegExp): string[] =>
  explained
    .filter(({ plan }) =>
      nodesOf(plan).some(
        (node) => node['Node Type'] === 'Seq Scan' && tables.test(node['Relation Name'] ?? ''),
      ),
    )
    .map(({ text }) => text)

/** The blocks of all of them; where it was asked for so many payments they are printed. */
export const sumOfBlocks = (explained: readonly Explained[]): number => {
  const blocks = explained.reduce((sum, one) => sum + blocksOf(one), 0)
  if (process.env['PAYMENTS'] !== undefined) process.stdout.write(`${blocks} blocks\n`)
  return blocks
}
