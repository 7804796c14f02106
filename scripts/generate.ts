import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  RULE_TESTS,
  RULES,
  RULES_FOR_OPERATOR,
  renderRules,
  renderRulesForOperator,
  renderRuleTests,
} from './alerts/render-rules.ts'
import { API_DOCUMENT, renderApiDocument } from './check/api-document.ts'
import { CLIENT_TYPES, renderClientTypes } from './check/client-types.ts'
import { runCommand } from './check/run-command.ts'
import { DASHBOARD, renderDashboard } from './dashboards/render-dashboard.ts'
import { fillIn, isPage } from './tidy/generated-parts.ts'
import { readProject } from './tidy/project.ts'

// `npm run generate`: writes what is made from other files, to be committed: `src/gen` from `proto`, the OpenAPI document
// from the routes, the client's types from that document, the alerts of Prometheus, the dashboard of Grafana, and the parts of the pages that stand between markers from the code.

const generateCode = async (root: string): Promise<void> => {
  const { code, output, problem } = await runCommand(root, 'buf', ['generate'])
  if (code !== 0) throw new Error(`buf generate failed: ${problem ?? output}`)
  process.stdout.write('src/gen is written from proto\n')
}

const generateApiDocument = async (root: string): Promise<void> => {
  const document = await renderApiDocument(root)
  await writeFile(join(root, API_DOCUMENT), document)
  await writeFile(join(root, CLIENT_TYPES), await renderClientTypes(document))
  process.stdout.write(`${API_DOCUMENT} and ${CLIENT_TYPES} are written from the routes\n`)
}

const generateAlerts = async (root: string): Promise<void> => {
  await writeFile(join(root, RULES), renderRules())
  await writeFile(join(root, RULE_TESTS), renderRuleTests())
  await writeFile(join(root, RULES_FOR_OPERATOR), renderRulesForOperator())
  process.stdout.write(`${RULES}, ${RULE_TESTS} and ${RULES_FOR_OPERATOR} are written from scripts/alerts\n`)
}

const generateDashboard = async (root: string): Promise<void> => {
  await writeFile(join(root, DASHBOARD), await renderDashboard(root))
  process.stdout.write(`${DASHBOARD} is written from scripts/dashboards and the table of metrics\n`)
}

const generateParts = async (root: string): Promise<void> => {
  for (const page of (await readProject(root)).filter(isPage)) {
    const text = fillIn(page.text)
    if (text === page.text) continue
    await writeFile(join(root, page.path), text)
    process.stdout.write(`${page.path} is brought into step with the code\n`)
  }
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
await generateCode(root)
await generateApiDocument(root)
await generateAlerts(root)
await generateParts(root)
await generateDashboard(root)
