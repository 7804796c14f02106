import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { selectorsIn } from '../alerts/promql.ts'
import type { Sample } from '../alerts/scrape.ts'

const run = promisify(execFile)

const RULES = join(import.meta.dirname, '..', '..', 'deploy', 'prometheus', 'rules.yaml')

/** What the rules read; the rest of a scrape is nothing to them. */
const READ = new Set(ALERTS.flatMap(({ expr }) => selectorsIn(expr).map(({ metric }) => metric)))

/** What was scraped, and how many minutes it then stayed so. */
export type Stretch = { samples: readonly Sample[]; minutes: number }

const nameOf = ({ metric, labels }: Sample): string =>
  `${metric}{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}}`

/** One value a minute, as promtool writes series; `_` is none, and `stale` ends one. */
const toSeries = (stretches: readonly Stretch[]): { series: string; values: string }[] => {
  const maps = stretches.map(
    ({ samples }) =>
      new Map(
        samples
          .filter(({ metric, value }) => READ.has(metric) && Number.isFinite(value))
          .map((one) => [nameOf(one), one.value]),
      ),
  )
  const names = new Set(maps.flatMap((map) => [...map.keys()]))
  return [...names].map((series) => ({
    series,
    values: stretches
      .map(({ minutes }, index) => {
        const value = maps[index]?.get(series)
        const wasThere = maps[index - 1]?.has(series)
        if (value !== undefined) return `${value}x${minutes - 1}`
        return wasThere ? `stale _x${minutes - 1}` : `_x${minutes}`
      })
      .join(' '),
  }))
}

/**
 * Whether an alert of the rules fires after what was scraped: promtool evaluates the rules as they are deployed, with the
 * time that they ask for (`for`), over each scrape for as many minutes as it says.
 */
export const isFiring = async (
  promtool: string,
  alert: string,
  stretches: readonly Stretch[],
): Promise<boolean> => {
  const folder = await mkdtemp(join(tmpdir(), 'alerts-'))
  try {
    const file = join(folder, 'night.yaml')
    const minutes = stretches.reduce((sum, one) => sum + one.minutes, 0)
    const test = {
      interval: '1m',
      input_series: toSeries(stretches),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0`,
          eval_time: `${minutes - 1}m`,
          exp_samples: [{ labels: '{}', value: 1 }],
        },
      ],
    }
    await writeFile(file, stringify({ rule_files: [RULES], evaluation_interval: '1m', tests: [test] }))
    return await run(promtool, ['test', 'rules', file]).then(
      () => true,
      (error: { stdout?: string; stderr?: string }) => {
        const said = `${error.stdout ?? ''}${error.stderr ?? ''}`
        // Without any alert there is no sample; whatever else it says is a mistake of this test.
        if (/got:\s*(?:nil|\[\])?\s*$/m.test(said)) return false
        throw new Error(said)
      },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
