import { html } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { ConsoleParts } from '../console-parts.ts'
import { facts, section } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import { GROUPS } from '../page/layout.ts'
import type { Page } from '../page/page.ts'
import { table } from '../page/table.ts'
import { ago, time } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import { addAction, addPage, type Call } from '../route.ts'

/** What every operator has: their sessions, their password, and the keys of the keyboard. */
export const addOwnPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  const { signIns } = parts
  const answer = (call: Call, problem: string | null = null): Promise<Page> => ownPage(parts, call, problem)
  addPage(app, parts, { path: '/me', needs: 'look', answer })
  addAction(app, parts, {
    path: '/me/sessions/end',
    needs: 'look',
    act: async ({ operator, form, visitor }) => {
      const sessionId = /^\d{1,18}$/.exec(form.get('session_id') ?? '')?.[0]
      if (sessionId === undefined) throw new Refusal('wrong_field', 'session_id must be the id of a session')
      await signIns.endSession(operator, BigInt(sessionId), visitor)
      return { goTo: '/me', said: 'The session is ended.' }
    },
    back: () => '/me',
  })
  addAction(app, parts, {
    path: '/me/password',
    needs: 'look',
    act: async ({ operator, form, visitor }) => {
      const [password, again] = [form.get('password') ?? '', form.get('again') ?? '']
      if (password !== again) throw new Refusal('wrong_field', 'the two are not the same')
      const refused = await signIns.setPassword(operator, password, visitor)
      if (refused !== null) throw new Refusal('wrong_field', refused.problem)
      return { goTo: '/me', said: 'The password is set. Your other sessions are ended.' }
    },
    onRefused: (call, refusal) => answer(call, refusal.message),
  })
  addPage(app, parts, { path: '/keys', needs: 'look', answer: async () => keysPage() })
}

const ownPage = async ({ signIns }: ConsoleParts, call: Call, problem: string | null): Promise<Page> => {
  const { operator, now } = call
  const sessions = await signIns.listSessions(operator)
  return {
    title: operator.name,
    body: html`${facts([['Role', operator.role]])}
${section(
  'Your sessions',
  table({
    caption: 'Where you are signed in',
    none: 'None.',
    rows: sessions,
    columns: [
      { head: 'Since', cell: ({ createdAt }) => time(createdAt) },
      { head: 'Used', cell: ({ usedAt }) => ago(usedAt, now) },
      { head: 'Address', cell: ({ address }) => address },
      { head: 'Browser', cell: ({ browser }) => browser },
      {
        head: 'End it',
        cell: ({ sessionId }) =>
          sessionId === operator.sessionId
            ? 'this one'
            : postForm({
                action: '/me/sessions/end',
                button: 'End',
                fields: [hidden('session_id', String(sessionId))],
              }),
      },
    ],
  }),
)}
${section(
  'Your password',
  postForm({
    action: '/me/password',
    button: 'Set the password',
    fields: [
      field({
        name: 'password',
        label: 'New password',
        kind: 'password',
        hint: 'At least 12 characters.',
        problem,
        required: true,
        autocomplete: 'new-password',
      }),
      field({
        name: 'again',
        label: 'Once more',
        kind: 'password',
        required: true,
        autocomplete: 'new-password',
      }),
    ],
  }),
)}`,
  }
}

const KEYS = [
  ...GROUPS.map(({ name }, index) => ({ key: String(index + 1), what: name })),
  { key: 'r', what: 'refresh the page' },
  { key: 'p', what: 'pause, or refresh by itself again' },
  { key: 'n', what: 'the next page of a list' },
  { key: 'm', what: 'your sessions and your password' },
  { key: 'k', what: 'these keys' },
]

const keysPage = (): Page => ({
  title: 'Keys',
  body: html`<p>With the keys that your browser asks for beside them: Alt+Shift in Firefox, Alt in Chromium, Control+Option on a Mac.
Tab goes from link to link; the first one on each page leads past the navigation.</p>${table({
    caption: 'Keys and where they lead',
    none: '',
    rows: KEYS,
    columns: [
      { head: 'Key', cell: ({ key }) => html`<kbd>${key}</kbd>` },
      { head: 'What it does', cell: ({ what }) => what },
    ],
  })}`,
})
