import type { FastifyInstance } from 'fastify'
import type { ConsoleParts } from '../console-parts.ts'
import { addAction, addPage } from '../route.ts'
import { askAgain, askPage, changeAll, progressPage } from './change-all.ts'
import { listCsv, listPage } from './delivery-list.ts'
import { backToOne, cancelOne, deliveryPage, retryOne } from './delivery-page.ts'
import {
  backToEndpoint,
  endpointPage,
  endpointsCsv,
  endpointsPage,
  pauseEndpoint,
  probeEndpoint,
  resumeEndpoint,
} from './endpoint-pages.ts'

/** Deliveries and their endpoints: what waits, is held, dead, cancelled or delivered, why, and what mends it. */
export const addDeliveryPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, { path: '/deliveries', needs: 'look', answer: listPage, csv: listCsv })
  addPage(app, parts, { path: '/deliveries/:id', needs: 'look', answer: deliveryPage })
  addAction(app, parts, { path: '/deliveries/:id/retry', needs: 'mend', act: retryOne, back: backToOne })
  addAction(app, parts, { path: '/deliveries/:id/cancel', needs: 'mend', act: cancelOne, back: backToOne })
  for (const verb of ['retry', 'cancel'] as const) {
    const path = `/deliveries/all/${verb}`
    addPage(app, parts, { path, needs: 'mend', answer: (call) => askPage(verb, call) })
    addAction(app, parts, {
      path,
      needs: 'mend',
      act: (call) => changeAll(verb, call),
      onRefused: (call, refusal) => askAgain(verb, call, refusal),
    })
    addPage(app, parts, {
      path: `${path}/done`,
      needs: 'mend',
      answer: (call) => progressPage(verb, call),
    })
  }
  addPage(app, parts, {
    path: '/deliveries/endpoints',
    needs: 'look',
    answer: endpointsPage,
    csv: endpointsCsv,
  })
  addPage(app, parts, { path: '/deliveries/endpoint', needs: 'look', answer: endpointPage })
  const verbs = { pause: pauseEndpoint, resume: resumeEndpoint, probe: probeEndpoint }
  for (const [verb, act] of Object.entries(verbs))
    addAction(app, parts, { path: `/deliveries/endpoint/${verb}`, needs: 'mend', act, back: backToEndpoint })
}
