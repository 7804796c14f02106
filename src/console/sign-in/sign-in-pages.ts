import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ConsoleParts } from '../console-parts.ts'
import { notice } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import { writeNotice } from '../page/notice.ts'
import type { Page } from '../page/page.ts'
import { durationText } from '../page/time.ts'
import { sendPage } from '../send-page.ts'
import { giveSession, takeSessionAway } from '../session.ts'
import type { SignInOutcome } from '../sign-ins.ts'
import { visitorOf } from '../visitor.ts'

const NOBODYS = { config: { needs: 'nobody' as const } }

/**
 * How operators come in and go. The code of a one-time link stands behind the `#` of its address, which browsers do not
 * send: whatever opens the link before its owner does cannot use it up, and no log has it.
 */
export const addSignInPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  const { signIns } = parts
  app.get('/sign-in', NOBODYS, async (request, reply) => {
    if (!(await signIns.isOpen())) return sendPage(request, reply, closedPage())
    return sendPage(request, reply, passwordPage({ next: nextOf(request), problem: null }))
  })
  app.post('/sign-in', NOBODYS, async (request, reply) => {
    const form = formOf(request)
    const [name, password] = [form.get('name') ?? '', form.get('password') ?? '']
    const outcome = await signIns.byPassword({ name, password, visitor: visitorOf(request) })
    return answer(request, reply, outcome, {
      next: form.get('next'),
      wrong: 'The name or the password is wrong.',
      page: (problem) => passwordPage({ name, next: form.get('next'), problem }),
    })
  })
  app.get('/sign-in/link', NOBODYS, (request, reply) => sendPage(request, reply, codePage(null)))
  app.post('/sign-in/link', NOBODYS, async (request, reply) => {
    const code = (formOf(request).get('code') ?? '').trim()
    const outcome = await signIns.byCode({ code, visitor: visitorOf(request) })
    const wrong = 'This code is not good any more: ask for a new link, gateway operators link NAME makes one.'
    return answer(request, reply, outcome, { next: null, wrong, page: codePage })
  })
  app.post('/sign-out', { config: { needs: 'look' } }, async (request, reply) => {
    if (request.signedIn !== null) await signIns.signOut(request.signedIn, visitorOf(request))
    takeSessionAway(request, reply)
    return reply.redirect('/sign-in', 303)
  })
}

const answer = (
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: SignInOutcome,
  options: { next: string | null; wrong: string; page: (problem: string) => Page },
): FastifyReply => {
  switch (outcome.kind) {
    case 'signed_in':
      giveSession(request, reply, outcome.token)
      writeNotice(reply, `Signed in as ${outcome.name}.`)
      return reply.redirect(localPath(options.next), 303)
    case 'wrong':
      return sendPage(request, reply.code(401), options.page(options.wrong))
    case 'wait': {
      const sentence = `Too many were wrong: try again in ${durationText(outcome.seconds)}.`
      reply.header('retry-after', String(outcome.seconds))
      return sendPage(request, reply.code(429), options.page(sentence))
    }
    default:
      return outcome satisfies never
  }
}

const formOf = (request: FastifyRequest): URLSearchParams =>
  request.body instanceof URLSearchParams ? request.body : new URLSearchParams()

const nextOf = (request: FastifyRequest): string | null =>
  new URL(request.url, 'http://console').searchParams.get('next')

/** Where a sign-in leads: a page of the console and nothing else, whatever the address said. */
export const localPath = (next: string | null): string => {
  const url = next?.startsWith('/') === true ? URL.parse(next, 'http://console') : null
  // Two slashes at the beginning are the name of another host: `/.//evil.example` becomes that.
  const isLocal = url?.origin === 'http://console' && !url.pathname.startsWith('//')
  return isLocal ? `${url.pathname}${url.search}` : '/'
}

const passwordPage = (options: { name?: string; next: string | null; problem: string | null }): Page => ({
  title: 'Sign in',
  body: html`${problemOf(options.problem)}${postForm({
    action: '/sign-in',
    button: 'Sign in',
    fields: [
      field({
        name: 'name',
        label: 'Name',
        value: options.name ?? '',
        required: true,
        autocomplete: 'username',
      }),
      field({
        name: 'password',
        label: 'Password',
        kind: 'password',
        required: true,
        autocomplete: 'current-password',
      }),
      ...(options.next === null ? [] : [hidden('next', options.next)]),
    ],
  })}<p>Without a password: <code>gateway operators link NAME</code> makes a link that signs in once.</p>`,
})

const codePage = (problem: string | null): Page => ({
  title: 'Sign in by a link',
  body: html`${problemOf(problem)}<form method="post" action="/sign-in/link"><div class="field"><label for="code">Code</label>
<input id="code" name="code" data-code autocomplete="off" required><small>What stands behind the # of the link.</small></div><button>Sign in</button></form>`,
})

const closedPage = (): Page => ({
  title: 'Closed',
  status: 503,
  body: html`<p>The console is closed until there is an operator. At a shell of the gateway:</p>
<pre tabindex="0"><code>gateway operators create --name wanjiku --role money</code></pre>
<p>It prints a link that signs in once.</p>`,
})

const problemOf = (problem: string | null): SafeHtml | null =>
  problem === null ? null : notice('bad', problem)
