import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DASHBOARD, renderDashboard } from '../dashboards/render-dashboard.ts'
import type { Outcome } from './outcome.ts'

/** Holds the dashboard that is kept against its layout and the table of metrics. */
export const checkDashboard = async (root: string): Promise<Outcome> => {
  const kept = await readFile(join(root, DASHBOARD), 'utf8').catch(() => null)
  if (kept === (await renderDashboard(root))) return { kind: 'passed' }
  const output = `${DASHBOARD} is behind scripts/dashboards or docs/operations.md: run \`npm run generate\`.`
  return { kind: 'failed', output }
}
