import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Outcome, toOutcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

/** Where the OpenAPI document is kept, below the root. */
export const API_DOCUMENT = 'docs/openapi.json'

/** The OpenAPI document as the routes make it now. Throws when they make none. */
export const renderApiDocument = async (root: string): Promise<string> => {
  const { code, output, problem } = await runCommand(root, 'node', ['scripts/print-api-document.ts'])
  if (code !== 0) throw new Error(`the OpenAPI document cannot be made: ${problem ?? output}`)
  return output
}

/** Holds the document that is kept against what the routes say. */
export const checkApiDocument = async (root: string): Promise<Outcome> => {
  const kept = await readFile(join(root, API_DOCUMENT), 'utf8').catch(() => null)
  if (kept === (await renderApiDocument(root))) return { kind: 'passed' }
  return {
    kind: 'failed',
    output: `${API_DOCUMENT} differs from what the routes say: run \`npm run generate\` and commit what it writes.`,
  }
}

/** Lints the document by all recommended rules of Redocly: what they warn of is an error here (redocly.yaml). */
export const lintApiDocument = async (root: string): Promise<Outcome> =>
  toOutcome(await runCommand(root, 'redocly', ['lint', API_DOCUMENT]))
