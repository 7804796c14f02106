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

type Context = { report(finding: { node: Node; message: string }): void }

/**
 * No object is spread into an argument of a call. A spread hides what the callee uses, and switches the compiler's check for
 * excess properties off. A condition with the properties written out, `...(wanted && { wanted })`, hides nothing.
 */
const callSpreads = {
  create: (context: Context) => {
    const judge = (call: Node): void => {
      const parts = (call.arguments ?? []).flatMap((argument) => argument.properties ?? [])
      for (const part of parts.filter(isHidingSpread)) {
        const message = 'name the properties that the callee uses: a spread into a call hides them'
        context.report({ node: part, message })
      }
    }
    return { CallExpression: judge, NewExpression: judge }
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
