import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import { type FastifyInstance, fastify } from 'fastify'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  guardConnections,
  serverTimes,
} from '../runtime/connection-guard.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { closeWithin } from '../runtime/listen.ts'
import { limitArrival } from './arrival.ts'
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

export type ConsoleLimits = ConnectionLimits & {
  /** How long a file may take to arrive from somebody who may send it, ms: a statement over a slow line. */
  uploadTimeoutMs: number
}

export const CONSOLE_LIMITS: ConsoleLimits = { ...CONNECTION_LIMITS, uploadTimeoutMs: 600_000 }

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
  parts: ConsoleParts & { host: string; port: number; limits?: ConsoleLimits | undefined },
): Promise<RunningConsole> => {
  const app = await createConsole(parts, { limits: parts.limits })
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
  options: {
    /** Is told each route, `GET /payments`. */
    onRoute?: (route: string) => void
    limits?: ConsoleLimits | undefined
  } = {},
): Promise<FastifyInstance> => {
  const { onRoute = () => undefined, limits = CONSOLE_LIMITS } = options
  const nodesLimits = { ...limits, requestTimeoutMs: limits.uploadTimeoutMs }
  const app = fastify({
    bodyLimit: MAX_FORM_BYTES,
    requestTimeout: nodesLimits.requestTimeoutMs,
    keepAliveTimeout: nodesLimits.keepAliveMs,
    http: serverTimes(nodesLimits),
    return503OnClosing: false,
    // The caller's are for the caller's log; ours must be unique.
    genReqId: () => randomBytes(12).toString('hex'),
  })
  const letTakeLong = guard(app, limits, parts)
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
  // Who asks is known by now.
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.config.takesFile === true) letTakeLong(raw)
  })
  addAssets(app)
  addHealth(app, parts)
  addSignInPages(app, parts)
  addOwnPages(app, parts)
  addGroups(app, parts)
  return app
}

/** Cuts what holds connections for nothing. Returns what lets one request take as long as an upload may. */
const guard = (app: FastifyInstance, limits: ConsoleLimits, { log, registry }: ConsoleParts) => {
  const nowMs = (): number => performance.now()
  const onCut = createDropReporter({ door: 'console', log, registry, nowMs })
  const makeRoom = (): void => app.server.closeIdleConnections()
  guardConnections(app.server, { limits, makeRoom, nowMs, onCut })
  const { requestTimeoutMs } = limits
  return limitArrival(app.server, { requestTimeoutMs, onCut: () => onCut('sender') })
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
  too_large: 'Too large',
  not_found: 'Not found',
  not_possible: 'Not possible now',
  approval_needed: 'Waits for another operator',
  unavailable: 'Not available now',
}

/** Fastify's own refusals (a body too long, of another type) have a status; whatever else is thrown is a defect. */
const statusCodeOf = (error: unknown): number =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : 500
