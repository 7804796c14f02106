import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { collectPaths } from '../described-route.ts'
import { JSON_TYPE, MESSAGES, Refusal } from '../errors.ts'
import { PAGE_NAMES, readExample, readGuide, renderGuidePage } from './guide-page.ts'
import { lazily } from './lazily.ts'
import { renderLlmsText } from './llms.ts'
import { API_TITLE, describeApi } from './openapi.ts'
import { sendPage } from './page.ts'
import { renderReferencePage } from './reference-page.ts'
import { loadRenderer } from './renderer.ts'

/**
 * The interface described: for programs by `GET /api/v1/openapi.json`, which is made of what the routes say that are
 * registered after this; for people by `GET /docs`, which shows that document and tries it, and `GET /docs/guide`; `GET /llms.txt` leads to both.
 */
export const registerDocs = (
  server: FastifyInstance,
  options: { publicUrl: string; deliveryScheduleMs: readonly number[] },
): void => {
  const paths = collectPaths(server)
  const { publicUrl, deliveryScheduleMs } = options
  let document: string | undefined
  server.get('/api/v1/openapi.json', (_request, reply) => {
    document ??= JSON.stringify(describeApi({ paths, publicUrl, deliveryScheduleMs }))
    reply.header('content-type', JSON_TYPE).send(document)
  })
  registerReference(server)
  registerGuide(server, publicUrl)
}

const registerReference = (server: FastifyInstance): void => {
  const openRenderer = lazily(loadRenderer)
  server.get('/docs', async (_request, reply) => {
    const { digest } = await openRenderer()
    const script = `docs/reference-${digest}.js`
    return sendPage(reply, (nonce) => renderReferencePage({ title: API_TITLE, script, nonce }))
  })
  server.get<{ Params: { digest: string } }>('/docs/reference-:digest.js', async (request, reply) => {
    const { digest, gzipped } = await openRenderer()
    if (request.params.digest !== digest) throw new Refusal(404, MESSAGES.noSuchPath)
    reply.headers({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    })
    const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding']))
    if (!takesGzip) return promisify(gunzip)(gzipped)
    reply.header('content-encoding', 'gzip')
    return Buffer.from(gzipped)
  })
}

const registerGuide = (server: FastifyInstance, publicUrl: string): void => {
  for (const name of PAGE_NAMES) {
    const openPage = lazily(() => renderGuidePage(name))
    server.get(`/docs/${name}`, async (_request, reply) => {
      const page = await openPage()
      return sendPage(reply, () => page)
    })
  }
  server.get('/docs/guide.md', async (_request, reply) => {
    reply.header('content-type', 'text/markdown; charset=utf-8')
    return readGuide()
  })
  server.get('/llms.txt', (_request, reply) => {
    reply.header('content-type', 'text/plain; charset=utf-8').send(renderLlmsText(publicUrl))
  })
  server.get<{ Params: { name: string } }>('/docs/verify/:name', async (request, reply) => {
    const text = await readExample(request.params.name)
    if (text === null) throw new Refusal(404, MESSAGES.noSuchPath)
    reply.header('content-type', 'text/plain; charset=utf-8')
    return text
  })
}
