import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  RULE_TESTS,
  RULES,
  RULES_FOR_OPERATOR,
  renderRules,
  renderRulesForOperator,
  renderRuleTests,
} from '../alerts/render-rules.ts'
import { type Outcome, toOutcome } from './outcome.ts'
import { findPromtool } from './promtool.ts'
import { runCommand } from './run-command.ts'

/** An example of a configuration that reads the rules, below the root. */
const CONFIG = 'deploy/prometheus/prometheus.yaml'

/**
 * Holds the rules and their tests against the alerts that they are made of, then has promtool judge them and run the
 * tests; without promtool that is left out.
 */
export const checkAlerts = async (root: string): Promise<Outcome> => {
  for (const [path, text] of [
    [RULES, renderRules()],
    [RULE_TESTS, renderRuleTests()],
    [RULES_FOR_OPERATOR, renderRulesForOperator()],
  ] as const) {
    const kept = await readFile(join(root, path), 'utf8').catch(() => null)
    if (kept !== text)
      return { kind: 'failed', output: `${path} is behind scripts/alerts: run \`npm run generate\`.` }
  }
  const promtool = await findPromtool(root)
  if (promtool.file === null) return { kind: 'skipped', why: promtool.why }
  for (const words of [
    ['check', 'config', CONFIG],
    ['test', 'rules', RULE_TESTS],
  ]) {
    const outcome = toOutcome(await runCommand(root, promtool.file, words))
    if (outcome.kind !== 'passed') return outcome
  }
  return { kind: 'passed' }
}
