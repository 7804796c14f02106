import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile } from 'json-schema-to-typescript'
import { API_DOCUMENT } from './api-document.ts'
import type { Outcome } from './outcome.ts'

/** Where the types of the TypeScript client stand that are made from the OpenAPI document, below the root. */
export const CLIENT_TYPES = join('clients', 'typescript', 'src', 'rest-types.ts')

const BANNER = '// Written by `npm run generate` from docs/openapi.json.'

/** The operation whose parameters have a type of their own, and its name. */
const FILTERS = { path: '/api/v1/mpesa/transactions', name: 'TransactionFilters' } as const

type Schema = Record<string, unknown>
type Parameter = { in: string; name: string; schema: Schema }
type Document = {
  paths: { [FILTERS.path]: { get: { parameters: Parameter[] } } }
  components: { schemas: Record<string, Schema> }
}

/** The types of all bodies of the REST API, one for each schema of the document, and of the filters of the list. */
export const renderClientTypes = async (document: string): Promise<string> => {
  const { paths, components }: Document = JSON.parse(document)
  const filters = paths[FILTERS.path].get.parameters.filter((one) => one.in === 'query')
  const schemas: Record<string, Schema> = {
    ...components.schemas,
    [FILTERS.name]: {
      type: 'object',
      description: 'Which payments: those that fit every field that is given.',
      properties: Object.fromEntries(filters.map(({ name, schema }) => [name, schema])),
      additionalProperties: false,
    },
  }
  const root = { title: 'Everything', type: 'object', additionalProperties: false, $defs: schemas }
  const text = JSON.stringify(root).replaceAll('#/components/schemas/', '#/$defs/')
  const types = await compile(JSON.parse(text), 'Everything', {
    bannerComment: BANNER,
    unreachableDefinitions: true,
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    style: { semi: false, singleQuote: true, printWidth: 110 },
  })
  // The root is there for its definitions alone.
  return types
    .replace(/export interface Everything \{\}\n/, '')
    .replaceAll(/ \*\n \* This .*`Everything`.*\n.*\n/g, '')
}

/** Holds the types that are kept against the OpenAPI document. */
export const checkClientTypes = async (root: string): Promise<Outcome> => {
  const kept = await readFile(join(root, CLIENT_TYPES), 'utf8').catch(() => null)
  const document = await readFile(join(root, API_DOCUMENT), 'utf8')
  if (kept === (await renderClientTypes(document))) return { kind: 'passed' }
  return {
    kind: 'failed',
    output: `${CLIENT_TYPES} differs from ${API_DOCUMENT}: run \`npm run generate\` and commit what it writes.`,
  }
}
