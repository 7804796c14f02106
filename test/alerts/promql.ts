import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

/** What an expression reads: a metric, and which values of its labels. */
export type Selector = {
  metric: string
  matchers: { label: string; operator: string; value: string }[]
  /** Labels that the samples are grouped by around it. */
  groupedBy: string[]
}

/** Every series that a PromQL expression reads. Throws where it is none. */
export const selectorsIn = (expression: string): Selector[] => {
  const found: Selector[] = []
  const textOf = ({ from, to }: SyntaxNode): string => expression.slice(from, to)
  parser.parse(expression).iterate({
    enter: ({ node }) => {
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expression}`)
      if (node.name !== 'VectorSelector') return
      const name = node.getChild('Identifier')
      const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
      found.push({
        metric: name === null ? '' : textOf(name),
        matchers: matchers.map((one) => {
          const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((kind) => {
            const child = one.getChild(kind)
            return child === null ? '' : textOf(child)
          })
          return { label: label ?? '', operator: operator ?? '', value: JSON.parse(value ?? '""') }
        }),
        groupedBy: groupingAround(node, textOf),
      })
    },
  })
  return found
}

const groupingAround = (node: SyntaxNode, textOf: (node: SyntaxNode) => string): string[] => {
  for (let one = node.parent; one !== null; one = one.parent) {
    const labels = one.getChild('AggregateModifier')?.getChild('GroupingLabels')?.getChildren('LabelName')
    if (labels) return labels.map(textOf)
  }
  return []
}
