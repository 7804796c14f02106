import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkAlerts } from './check/alerts.ts'
import { checkApiDocument, lintApiDocument } from './check/api-document.ts'
import { checkBreaking, checkReleasedContract } from './check/breaking.ts'
import { checkClientTypes } from './check/client-types.ts'
import { checkDashboard } from './check/dashboard.ts'
import { checkCompose, checkContainerfile, checkKubernetes, checkUnits } from './check/deployment.ts'
import { checkGeneratedCode } from './check/generated-code.ts'
import { type Outcome, toOutcome } from './check/outcome.ts'
import { checkReleasedApi } from './check/released-api.ts'
import { checkReleasedNames } from './check/released-names.ts'
import { runCommand } from './check/run-command.ts'

// `npm run check`: everything about the sources that is judged without running the gateway. All checks run, at once; each
// is named with its outcome, and what a failed one said follows.

const command =
  (...line: [string, ...string[]]) =>
  async (root: string): Promise<Outcome> =>
    toOutcome(await runCommand(root, line[0], line.slice(1)))

const CHECKS: Readonly<Record<string, (root: string) => Promise<Outcome>>> = {
  // It keeps what it learned, so that the next run judges only what has changed and what depends on it.
  'types (tsc)': command('tsc', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/tsc.json'),
  'lint (oxlint)': command('oxlint', '--type-aware'),
  'format and import order (biome)': command('biome', 'ci', '--colors=off'),
  'contract style (buf lint)': command('buf', 'lint'),
  'contract against main (buf breaking)': checkBreaking,
  'contract against the last release (buf breaking)': checkReleasedContract,
  'generated code (buf generate)': checkGeneratedCode,
  'API document (docs/openapi.json)': checkApiDocument,
  'API document style (redocly lint)': lintApiDocument,
  'API document against the last release (redocly diff)': checkReleasedApi,
  'names against the last release (docs)': checkReleasedNames,
  "client's types (docs/openapi.json)": checkClientTypes,
  'alerts and their tests (promtool)': checkAlerts,
  'dashboard (deploy/grafana)': checkDashboard,
  'container file (dockerfile-utils)': checkContainerfile,
  'compose files (schema of the specification)': checkCompose,
  'Kubernetes (kustomize, types of its API)': checkKubernetes,
  'systemd units (systemd-analyze verify)': checkUnits,
  'project rules (scripts/tidy.ts)': command('node', 'scripts/tidy.ts'),
}

const describe = (name: string, outcome: Outcome): string => {
  switch (outcome.kind) {
    case 'passed':
      return `passed   ${name}\n`
    case 'skipped':
      return `skipped  ${name}: ${outcome.why}\n`
    case 'failed':
      return `FAILED   ${name}\n`
    default:
      return outcome satisfies never
  }
}

const main = async (): Promise<void> => {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const failures: string[] = []
  await Promise.all(
    Object.entries(CHECKS).map(async ([name, check]) => {
      const outcome = await check(root)
      process.stdout.write(describe(name, outcome))
      if (outcome.kind === 'failed') failures.push(`\n── ${name}\n${outcome.output.trim()}\n`)
    }),
  )
  process.stdout.write(failures.join(''))
  process.exitCode = failures.length === 0 ? 0 : 1
}

await main()
