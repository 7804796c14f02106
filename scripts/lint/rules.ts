import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

// Rules of the project for oxlint (`jsPlugins` in .oxlintrc.json), for what is seen in the syntax of one file.

/** The parts of oxlint's syntax tree that the rules read. */
type Node = {
  type: string
  name?: string
  value?: unknown
  callee?: Node
  arguments?: Node[]
  properties?: Node[]
  argument?: Node
}

type Context = { filename: string; report(finding: { node: Node; message: string }): void }

const ROOT = dirname(dirname(import.meta.dirname))

/** Files with spreads into calls from before the rule, a path a line. The list only ever becomes shorter. */
const LIST = 'scripts/lint/call-spreads-left.txt'

const left = new Set(readFileSync(join(ROOT, LIST), 'utf8').split('\n').filter(Boolean))

const gone = [...left].filter((path) => !existsSync(join(ROOT, path)))
if (gone.length > 0)
  throw new Error(
    `${LIST}: delete the lines of files that are gone (write a moved file's new path):\n${gone.join('\n')}`,
  )

/**
 * No object is spread into an argument of a call. A spread hides what the callee uses, and switches the compiler's check for
 * excess properties off. A condition with the properties written out, `...(wanted && { wanted })`, hides nothing.
 */
const callSpreads = {
  create: (context: Context) => {
    const path = relative(ROOT, context.filename).split(sep).join('/')
    let count = 0
    const judge = (call: Node): void => {
      const parts = (call.arguments ?? []).flatMap((argument) => argument.properties ?? [])
      for (const part of parts.filter(isHidingSpread)) {
        count += 1
        if (left.has(path)) continue
        const message = 'name the properties that the callee uses: a spread into a call hides them'
        context.report({ node: part, message })
      }
    }
    return {
      CallExpression: judge,
      NewExpression: judge,
      'Program:exit': (program: Node) => {
        const message = `no call here has a spread any more: delete the line ${path} from ${LIST}`
        if (count === 0 && left.has(path)) context.report({ node: program, message })
      },
    }
  },
}

const isHidingSpread = ({ type, argument }: Node): boolean =>
  type === 'SpreadElement' && argument?.type !== 'LogicalExpression'

const PAUSES = new Set(['pause', 'sleep', 'delay', 'setTimeout'])

const LONGEST_PAUSE_MS = 99

/** A test waits for what it wants to see, not for a length of time; what looks again and again may pause in between. */
const fixedPauses = {
  create: (context: Context) => ({
    CallExpression: (call: Node) => {
      if (!PAUSES.has(call.callee?.name ?? '')) return
      // `setTimeout` of node:timers has the time second, that of node:timers/promises first.
      const lengths = (call.arguments ?? []).slice(0, 2).map(({ value }) => value)
      const lengthMs = lengths.find((value) => typeof value === 'number') ?? 0
      if (lengthMs <= LONGEST_PAUSE_MS) return
      const message = `waits ${lengthMs} ms: wait for the condition instead (vi.waitFor, test/support)`
      context.report({ node: call, message })
    },
  }),
}

export default {
  meta: { name: 'project' },
  rules: { 'call-spreads': callSpreads, 'fixed-pauses': fixedPauses },
}
