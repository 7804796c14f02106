import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'
import scalar from '@scalar/fastify-api-reference'
import { fastify } from 'fastify'
import type { Renderer } from './renderer.ts'

// A thread that reads the script of Scalar's API reference out of its package, which holds it as 5 MB of text in a
// module: loading it takes 0.1 s and 30 MB, which end with the thread. The package answers it by a plugin of Fastify.

const server = fastify()
server.register(scalar, { routePrefix: '/docs', configuration: { url: '/api/v1/openapi.json' } })
const { statusCode, body } = await server.inject('/docs/js/scalar.js')
await server.close()
if (statusCode !== 200) throw new Error(`the script of the reference was answered with ${statusCode}`)

// Its map is not in the package: a browser's developer tools would ask for it in vain.
const script = body.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, '\n')
const gzipped = Uint8Array.from(gzipSync(script, { level: 9 }))
const renderer: Renderer = {
  gzipped,
  digest: createHash('sha256').update(script).digest('hex').slice(0, 16),
}
parentPort?.postMessage(renderer, [gzipped.buffer])
