import type { FastifyInstance } from 'fastify'
import { JSON_TYPE } from '../errors.ts'
import { type ApiDocument, describeApi } from './openapi.ts'
import type { Operation, Parameter } from './openapi-operations.ts'
import { SCHEMAS, type Schema } from './openapi-schemas.ts'

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
code, pre { font: 0.9em ui-monospace, monospace; background: var(--soft); border-radius: 4px; padding: 0.1em 0.3em }
pre { padding: 0.8rem; overflow-x: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid var(--line) }
th { white-space: nowrap }`

const CURL = `curl -X POST "https://…/api/v1/mpesa/stk_push" \\
  -H "Content-Type: application/json" \\
  -H "X-API-KEY: YOUR_API_KEY" \\
  -H "X-Idempotency-Key: $(uuidgen)" \\
  -d '{"phone":"254712345678","amount":150,"reference":"INV-2025-001","callback_url":"https://yourapp.example.com/payment_callback"}'`

/** The page has a style of its own and loads nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/**
 * `GET /api/v1/openapi.json` and `GET /docs`: the interface described for programs and for people.
 * `deliveryScheduleMs`: the pause before each attempt to deliver an outcome.
 */
export const registerDocs = (server: FastifyInstance, deliveryScheduleMs: readonly number[]): void => {
  const api = describeApi(deliveryScheduleMs)
  const document = JSON.stringify(api)
  const page = renderDocsPage(api)
  server.get('/api/v1/openapi.json', (_request, reply) => {
    reply.header('content-type', JSON_TYPE).send(document)
  })
  server.get('/docs', (_request, reply) => {
    reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      })
      .send(page)
  })
}

/**
 * The OpenAPI document as a page for partners' developers: one file, without scripts and without anything from
 * elsewhere.
 */
const renderDocsPage = (api: ApiDocument): string => {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries<Operation>(methods).map(([method, operation]) => ({
      title: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )
  const { outcome } = api.webhooks
  const sections = [
    ...operations.filter(({ operation }) => operation.tags.includes('partner')),
    { title: 'POST to your callback_url', operation: outcome.post },
  ]
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(api.info.title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeHtml(api.info.title)}</h1><p>${prose(api.info.description)}</p>`,
    `<p>${prose('Every call carries your key in `X-API-KEY`. Every error has the same two fields:')}</p>`,
    '<pre>{"status":"error","message":"callback_url is required"}</pre>',
    `<pre>${escapeHtml(CURL)}</pre>`,
    '<p>For programs: <a href="/api/v1/openapi.json">openapi.json</a></p>',
    ...sections.map(({ title, operation }) => renderOperation(title, operation)),
    '</body></html>',
  ].join('\n')
}

type Described = Pick<Operation, 'summary' | 'description' | 'parameters' | 'requestBody'> & {
  readonly responses: Readonly<
    Record<string, { description: string; content?: Operation['responses'][string]['content'] }>
  >
}

const renderOperation = (title: string, operation: Described): string => {
  const bodies = schemasOf(operation.requestBody?.content)
  const answers = Object.entries(operation.responses)
  return [
    `<h2>${escapeHtml(operation.summary)}</h2><p><code>${escapeHtml(title)}</code></p>`,
    operation.description === undefined ? '' : `<p>${prose(operation.description)}</p>`,
    renderParameters(operation.parameters),
    ...bodies.map((body) => `<h3>Body</h3>${renderFields(body)}`),
    `<h3>Answers</h3>${table(answers.map(([status, { description }]) => [`<code>${status}</code>`, prose(description)]))}`,
    ...schemasOf(operation.responses['200']?.content).map(renderExample),
    ...schemasOf(operation.responses['200']?.content).flatMap(nestedOf).map(renderFields),
  ].join('\n')
}

const renderParameters = (parameters: readonly Parameter[]): string =>
  parameters.length === 0
    ? ''
    : `<h3>Headers and parameters</h3>${table(
        parameters.map(({ name, required, description }) => [code(name), need(required), prose(description)]),
      )}`

const renderFields = (schema: Schema): string =>
  table(
    Object.entries(schema.properties ?? {}).map(([name, field]) => [
      code(name),
      escapeHtml([field.type ?? 'string'].flat().join(' or ')),
      need(schema.required?.includes(name) === true),
      prose(describeField(field)),
    ]),
  )

const renderExample = (schema: Schema): string =>
  `<pre>${escapeHtml(JSON.stringify(exampleOf(schema), null, 2))}</pre>`

const describeField = ({ description = '', enum: values }: Schema): string =>
  values === undefined
    ? description
    : `${description} One of ${values.map((value) => `\`${value}\``).join(', ')}.`

/** The objects inside an answer that have fields of their own. */
const nestedOf = (schema: Schema): Schema[] =>
  Object.values(schema.properties ?? {})
    .map((field) => resolve(field.items ?? field))
    .filter((field) => field.properties !== undefined)

/** An example made of the fields' own. */
const exampleOf = (given: Schema): unknown => {
  const schema = resolve(given)
  if (schema.const !== undefined) return schema.const
  if (schema.items) return [exampleOf(schema.items)]
  if (!schema.properties) return schema.examples?.[0] ?? null
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, field]) => [name, exampleOf(field)]),
  )
}

const schemasOf = (content: Operation['responses'][string]['content'] | undefined): Schema[] =>
  Object.values(content ?? {}).flatMap(({ schema }) => (schema.oneOf ?? [schema]).map(resolve))

const resolve = (schema: Schema): Schema => {
  const found = Object.entries(SCHEMAS).find(([name]) => schema.$ref === `#/components/schemas/${name}`)
  return found ? found[1] : schema
}

const table = (rows: readonly (readonly string[])[]): string =>
  `<div class="wide"><table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table></div>`

const need = (required: boolean): string => (required ? 'required' : 'optional')

const code = (text: string): string => `<code>${escapeHtml(text)}</code>`

/** Text with `code` in backticks, as HTML. */
const prose = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
