import type { FastifyInstance } from 'fastify'
import type { ConsoleParts } from '../console-parts.ts'
import { addPage } from '../route.ts'
import { trafficCsv, trafficPage } from './traffic-page.ts'

/** Traffic. */
export const addTrafficPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, { path: '/traffic', needs: 'look', answer: trafficPage, csv: trafficCsv })
}
