import type { FastifyInstance } from 'fastify'
import type { ConsoleParts } from './console-parts.ts'

/** `/healthz`: the process is alive. `/readyz`: 200 when it can show pages, 503 while the database is away. */
export const addHealth = (app: FastifyInstance, { isReady }: ConsoleParts): void => {
  const config = { needs: 'nobody' as const }
  app.get('/healthz', { config }, () => ({ alive: true }))
  app.get('/readyz', { config }, async (_request, reply) => {
    const ready = await isReady()
    return reply.code(ready ? 200 : 503).send({ ready, database: ready ? 'up' : 'away' })
  })
}
