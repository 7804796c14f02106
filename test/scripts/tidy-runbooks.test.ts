import { describe, expect, it } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { CASES } from '../../scripts/alerts/cases.ts'
import { runbooks } from '../../scripts/tidy/runbooks.ts'

const SECTION =
  'Console: `/`. Shell: `top`.\n\n**It means** x. **Partners notice** x.\n\n**It is over when** x.\n\n'

/** Pages with a section for each alert. */
const pages = [...new Set(ALERTS.map(({ page }) => page))].map((page) => ({
  path: `docs/runbooks/${page}.md`,
  text: `# ${page}\n\nConsole: \`/\`. Shell: \`gateway status\`. Both say it.\n\n${ALERTS.filter(
    (alert) => alert.page === page,
  )
    .map(({ name }) => `## ${name}\n\n${SECTION}`)
    .join('')}`,
}))

const changed = (from: string, to: string) =>
  runbooks(pages.map(({ path, text }) => ({ path, text: text.replace(from, to) })))

describe('the runbooks', () => {
  it('are complete with a section for each alert', () => {
    expect(runbooks(pages)).toEqual([])
  })

  it('lack one whose heading is another', () => {
    expect(changed('## GatewayQueueAway', '## GatewayQueueGone').map(({ problem }) => problem)).toEqual([
      'has no section ## GatewayQueueAway',
      'there is no alert GatewayQueueGone',
    ])
  })

  it('lack the beginning that all have', () => {
    expect(changed('Shell: `gateway status`', 'Shell: `gateway traffic`')).toContainEqual({
      path: 'docs/runbooks/queue.md',
      line: 3,
      problem: 'does not begin with "Console: `/`. Shell: `gateway status`."',
    })
  })

  it('lack what a section does not say, and do not take it from the next', () => {
    const problems = changed(
      `## GatewayQueueAway\n\n${SECTION}`,
      '## GatewayQueueAway\n\nConsole: `/`. Shell: `top`. **It means** x. **Partners notice** x.\n\n',
    )
    expect(problems).toEqual([
      {
        path: 'docs/runbooks/queue.md',
        line: 5,
        problem: 'GatewayQueueAway does not say "**It is over when**"',
      },
    ])
  })
})

describe('the alerts', () => {
  it('have names of their own, and each a case that shows when it fires', () => {
    const names = ALERTS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect([...new Set(CASES.map(({ alert }) => alert))].sort()).toEqual([...names].sort())
  })
})
