import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Row } from '../runtime/message-row.ts'
import type { OperatorRole } from '../values/operator-role.ts'
import type { ConsoleClients } from './clients.ts'
import type { ConsoleParts } from './console-parts.ts'
import { type CsvList, sendCsv } from './csv.ts'
import { refusedPage } from './page/elements.ts'
import { writeNotice } from './page/notice.ts'
import type { Page } from './page/page.ts'
import { Refusal, statusOf } from './refusal.ts'
import { sendPage } from './send-page.ts'
import type { SignedIn, Visitor } from './sign-ins.ts'
import { visitorOf } from './visitor.ts'

// Every page and every action is declared here, by `addPage` and `addAction`: what it needs stands in the route, and is
// asked before its function runs. Nothing else puts a route on the console, but for what nobody need be signed in for.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may ask for the route; `nobody`: no sign-in is needed. Every route of the console says it. */
    readonly needs?: OperatorRole | 'nobody'
    /** Its request has a file, which may take longer to arrive than what others send. */
    readonly takesFile?: boolean
  }
}

/** What a page knows of the request. */
export type Call = {
  readonly operator: SignedIn
  readonly visitor: Visitor
  /** The operators' methods, in this operator's name. */
  readonly clients: ConsoleClients
  /** The path without the query: `/payments/17`. */
  readonly path: string
  /** What the address says after `?`. */
  readonly query: URLSearchParams
  /** The parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>
  readonly now: Date
}

/** What an action knows beside that. */
export type ActionCall = Call & { readonly form: URLSearchParams }

/** What comes of an action: the page to go to, with a sentence that is shown there once; or a page of its own. */
export type Done = { readonly goTo: string; readonly said?: string } | Page

export type Declared = {
  /** With `:names` for what varies. */
  readonly path: string
  /** The least role. */
  readonly needs: OperatorRole
}

/** A page: a GET that changes nothing. */
export const addPage = (
  app: FastifyInstance,
  parts: ConsoleParts,
  route: Declared & {
    readonly answer: (call: Call) => Promise<Page>
    /** The list of the page as CSV, for `?format=csv`: every row that fits, not one page of them. */
    readonly csv?: (call: Call) => CsvList
    /** What the page says as JSON, for `?format=json`. */
    readonly json?: (call: Call) => Promise<Row>
  },
): void => {
  app.get(route.path, { config: { needs: route.needs } }, async (request, reply) => {
    const call = callOf(request, parts)
    if (route.csv !== undefined && call.query.get('format') === 'csv') {
      return sendCsv(reply, route.csv(call), call.now)
    }
    if (route.json !== undefined && call.query.get('format') === 'json') {
      return sendJson(reply, await route.json(call))
    }
    return sendPage(request, reply, await route.answer(call))
  })
}

/**
 * An action: a POST from a form of ours (the check that it comes from our own page stands in `security.ts`). What it
 * refuses is shown as `onRefused` says, or as a page that leads back to `back`.
 */
export const addAction = (
  app: FastifyInstance,
  parts: ConsoleParts,
  route: Declared & {
    readonly act: (call: ActionCall) => Promise<Done>
    /** The form once more, with what is wrong. */
    readonly onRefused?: (call: ActionCall, refusal: Refusal) => Promise<Page>
    /** Where the page of a refusal leads; `/` when left out. */
    readonly back?: (call: ActionCall) => string
  },
): void => {
  app.post(route.path, { config: { needs: route.needs } }, (request, reply) => {
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
    const call: ActionCall = { ...callOf(request, parts), form }
    return answerAction({
      request,
      reply,
      act: () => route.act(call),
      onRefused: (refusal) => route.onRefused?.(call, refusal) ?? null,
      back: () => route.back?.(call) ?? '/',
    })
  })
}

/** Does what a form asks for and leads to what came of it, or shows why it was refused, or where it waits. */
export const answerAction = async (options: {
  request: FastifyRequest
  reply: FastifyReply
  act: () => Promise<Done>
  /** The form once more; null: a page that leads back. */
  onRefused: (refusal: Refusal) => Promise<Page> | null
  back: () => string
}): Promise<FastifyReply> => {
  const { request, reply } = options
  try {
    const done = await options.act()
    if (!('goTo' in done)) return sendPage(request, reply, done)
    if (done.said !== undefined) writeNotice(reply, done.said)
    return reply.redirect(done.goTo, 303)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.kind === 'approval_needed') {
      writeNotice(reply, error.message)
      return reply.redirect('/approvals', 303)
    }
    const page = (await options.onRefused(error)) ?? refusedPage(error.message, options.back())
    return sendPage(request, reply.code(statusOf(error)), page)
  }
}

/** Ids as numbers, instants in ISO 8601 UTC, as commands print them. */
const sendJson = (reply: FastifyReply, row: Row): FastifyReply =>
  reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(row, (_key, one: unknown) => (typeof one === 'bigint' ? Number(one) : one)))

/** What a page or an action knows of its request. */
export const callOf = (request: FastifyRequest, parts: ConsoleParts): Call => {
  const { signedIn: operator } = request
  if (operator === null) throw new Error('a page was asked for without a session')
  const visitor = visitorOf(request)
  const url = new URL(request.url, 'http://console')
  return {
    operator,
    visitor,
    clients: parts.clientsOf({ name: operator.name, from: visitor.address }),
    path: url.pathname,
    query: url.searchParams,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Fastify has texts for the names of the path
    params: request.params as Record<string, string>,
    now: parts.clock(),
  }
}
