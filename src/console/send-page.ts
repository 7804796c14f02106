import type { FastifyReply, FastifyRequest } from 'fastify'
import { notice as noticeOf } from './page/elements.ts'
import { renderLayout } from './page/layout.ts'
import { takeNotice } from './page/notice.ts'
import type { Page } from './page/page.ts'

/** Sends a page with what all pages have around it; with the status that `reply` has, unless the page has one. */
export const sendPage = (request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply => {
  const said = takeNotice(request, reply)
  const content = {
    title: page.title,
    notice: said === null ? null : noticeOf('good', said),
    body: page.body,
    liveSeconds: page.liveSeconds ?? null,
    address: request.url,
    operator: request.signedIn,
    now: new Date(),
  }
  return reply
    .code(page.status ?? reply.statusCode)
    .header('content-type', 'text/html; charset=utf-8')
    .send(renderLayout(content))
}
