import type { FastifyInstance } from 'fastify'
import { JSON_TYPE } from './json-type.ts'

export const HEALTH_PATH = '/healthz'

/** `GET /healthz`: this process is alive and answers. Whether it can take a payment is told on the operations port. */
export const registerGetHealth = (server: FastifyInstance): void => {
  server.get(HEALTH_PATH, (_request, reply) => {
    reply.header('content-type', JSON_TYPE).send('{"status":"ok"}')
  })
}
