import type { FastifyInstance } from 'fastify'
import { JSON_TYPE } from '../json-type.ts'
import { renderDocsPage } from './docs-page.ts'
import { OPENAPI } from './openapi.ts'

/** The page has a style of its own and loads nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/** `GET /api/v1/openapi.json` and `GET /docs`: the interface described for programs and for people. */
export const registerGetDocs = (server: FastifyInstance): void => {
  const document = JSON.stringify(OPENAPI)
  const page = renderDocsPage()
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
