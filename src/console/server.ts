import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import { type FastifyInstance, fastify } from 'fastify'
import { CONNECTION_LIMITS, guardConnections, serverTimes } from '../runtime/connection-guard.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { closeWithin } from '../runtime/listen.ts'
import { addAssets } from './assets/assets.ts'
import type { ConsoleParts } from './console-parts.ts'
import { addGroups } from './groups.ts'
import { addHealth } from './health.ts'
import { messagePage } from './page/elements.ts'
import { Refusal, statusOf } from './refusal.ts'
import { guardBrowsers } from './security.ts'
import { sendPage } from './send-page.ts'
import { requireSessions } from './session.ts'
import { addOwnPages } from './sign-in/own-pages.ts'
import { addSignInPages } from './sign-in/sign-in-pages.ts'
import { takeUploads } from './upload.ts'

/** How long a form may be, bytes. */
const MAX_FORM_BYTES = 64 * 1024

/** How long a request may take to arrive, ms: a statement over a slow line. */
const REQUEST_MS = 600_000

const LIMITS = { ...CONNECTION_LIMITS, requestTimeoutMs: REQUEST_MS }

/** For how long `close` lets requests finish before it cuts their connections, ms. */
const CLOSE_GRACE_MS = 10_000

export type RunningConsole = {
  /** Where it listens, without a slash at the end. */
  readonly url: string
  /** Takes no more connections, finishes what is under way, and resolves when nothing is left. */
  close(): Promise<void>
}

/** Starts the console on `host` and `port`; 0 takes a free port. Rejects when it cannot listen there. */
export const startConsole = async (
  parts: ConsoleParts & { host: string; port: number },
): Promise<RunningConsole> => {
  const app = await createConsole(parts)
  const url = await app.listen({ host: parts.host, port: parts.port })
  const close = (): Promise<void> =>
    closeWithin(
      CLOSE_GRACE_MS,
      () => app.close(),
      () => app.server.closeAllConnections(),
    )
  return { url, close }
}

/**
 * The operators' console: pages rendered here, for people who are signed in. It knows the gateway by the methods that
 * it is handed clients of, and nothing else.
 */
export const createConsole = async (
  parts: ConsoleParts,
  /** Is told each route, `GET /payments`. */
  onRoute: (route: string) => void = () => undefined,
): Promise<FastifyInstance> => {
  const app = fastify({
    bodyLimit: MAX_FORM_BYTES,
    requestTimeout: LIMITS.requestTimeoutMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    http: serverTimes(LIMITS),
    return503OnClosing: false,
    // The caller's are for the caller's log; ours must be unique.
    genReqId: () => randomBytes(12).toString('hex'),
  })
  guardConnections(app.server, {
    limits: LIMITS,
    makeRoom: () => app.server.closeIdleConnections(),
    nowMs: () => performance.now(),
    onCut: createDropReporter({
      door: 'console',
      log: parts.log,
      registry: parts.registry,
      nowMs: () => performance.now(),
    }),
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  )
  await takeUploads(app)
  requireNeeds(app, onRoute)
  answerErrors(app, parts)
  await app.register(cookie)
  await guardBrowsers(app, parts)
  requireSessions(app, parts)
  addAssets(app)
  addHealth(app, parts)
  addSignInPages(app, parts)
  addOwnPages(app, parts)
  addGroups(app, parts)
  return app
}

/** No route without who may ask for it. */
const requireNeeds = (app: FastifyInstance, onRoute: (route: string) => void): void => {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.needs === undefined) throw new Error(`the route ${String(method)} ${url} says nobody who may`)
    for (const one of [method].flat()) onRoute(`${one} ${url}`)
  })
}

/** A page for every error. What is our fault stands in the log, under the id that the page shows. */
const answerErrors = (app: FastifyInstance, { log }: ConsoleParts): void => {
  app.setNotFoundHandler((request, reply) =>
    sendPage(
      request,
      reply,
      messagePage({ status: 404, title: 'Not found', sentence: 'There is no such page.' }),
    ),
  )
  app.setErrorHandler((error, request, reply) => {
    const [request_id, route] = [request.id, request.routeOptions.url]
    if (error instanceof Refusal) {
      if (error.kind === 'unavailable')
        log.warn({ event: 'console_unavailable', request_id, route, cause: error.message })
      const page = { status: statusOf(error), title: TITLES[error.kind], sentence: error.message }
      return sendPage(request, reply, messagePage(page))
    }
    const status = statusCodeOf(error)
    if (status < 500) {
      const sentence = 'The request is not one that a page of the console sends.'
      return sendPage(request, reply, messagePage({ status, title: 'Refused', sentence }))
    }
    log.error({ event: 'console_failed', request_id, route, err: error })
    const sentence = `A defect of the gateway; its log has the request id ${request_id}.`
    return sendPage(request, reply, messagePage({ status: 500, title: 'Failed', sentence }))
  })
}

const TITLES: Record<Refusal['kind'], string> = {
  wrong_field: 'Not understood',
  not_found: 'Not found',
  not_possible: 'Not possible now',
  unavailable: 'Not available now',
}

/** Fastify's own refusals (a body too long, of another type) have a status; whatever else is thrown is a defect. */
const statusCodeOf = (error: unknown): number =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : 500
