import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

// A rule for oxlint (`jsPlugins` in .oxlintrc.json): no object is spread into an argument of a call. A spread hides what the
// callee uses, and switches the compiler's check for excess properties off. A condition with the properties written out,
// `...(wanted && { wanted })`, hides nothing and is left alone.

/** The parts of oxlint's syntax tree that the rule reads. */
type Node = { type: string; arguments?: Node[]; properties?: Node[]; argument?: Node }
type Context = { filename: string; report(finding: { node: Node; message: string }): void }

const ROOT = dirname(dirname(import.meta.dirname))

/** Files from before the rule, a path a line. The list only ever becomes shorter. */
const LIST = 'scripts/lint/call-spreads-left.txt'

const left = new Set(readFileSync(join(ROOT, LIST), 'utf8').split('\n').filter(Boolean))

const gone = [...left].filter((path) => !existsSync(join(ROOT, path)))
if (gone.length > 0)
  throw new Error(
    `${LIST}: delete the lines of files that are gone (write a moved file's new path):\n${gone.join('\n')}`,
  )

const callSpreads = {
  create: (context: Context) => {
    const path = relative(ROOT, context.filename).split(sep).join('/')
    let count = 0
    const judge = (call: Node): void => {
      const parts = (call.arguments ?? []).flatMap((argument) => argument.properties ?? [])
      for (const part of parts.filter(isSpread)) {
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

const isSpread = ({ type, argument }: Node): boolean =>
  type === 'SpreadElement' && argument?.type !== 'LogicalExpression'

export default { meta: { name: 'project' }, rules: { 'call-spreads': callSpreads } }
