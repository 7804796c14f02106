import { html } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { Operator } from '../../gen/mpesa/gateway/v1/operators_pb.js'
import { OPERATOR_ROLES } from '../../values/operator-role.ts'
import type { ConsoleParts } from '../console-parts.ts'
import { everyPage } from '../csv.ts'
import { badge, notice, section } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { pager, table } from '../page/table.ts'
import { ago, time, toDate } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import { type ActionCall, addAction, addPage, type Call } from '../route.ts'

const PATH = '/operators'

/** Who may use the console: seen by everybody, changed by whoever may move money. */
export const addOperatorPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: PATH,
    needs: 'look',
    answer: (call) => listPage(call),
    csv: (call) => ({ name: 'operators', columns: COLUMNS, rows: rowsOf(call) }),
  })
  addAction(app, parts, {
    path: PATH,
    needs: 'money',
    act: async ({ clients, form }) => {
      const [name, role] = [form.get('name') ?? '', form.get('role') ?? '']
      const { signInCode } = await clients.operators.createOperator({ name, role })
      return codePage(name, signInCode ?? '')
    },
    onRefused: (call, refusal) => listPage(call, refusal),
  })
  addAction(app, parts, {
    path: `${PATH}/:operator_id/link`,
    needs: 'money',
    act: async (call) => {
      const { signInCode } = await call.clients.operators.createSignInLink({ operatorId: idOf(call) })
      return codePage(`operator ${idOf(call)}`, signInCode)
    },
    back: () => PATH,
  })
  addAction(app, parts, {
    path: `${PATH}/:operator_id/role`,
    needs: 'money',
    act: async (call) => {
      const role = call.form.get('role') ?? ''
      await call.clients.operators.setOperatorRole({ operatorId: idOf(call), role })
      return { goTo: PATH, said: `Operator ${idOf(call)} has the role ${role} and must sign in again.` }
    },
    back: () => PATH,
  })
  addAction(app, parts, {
    path: `${PATH}/:operator_id/disable`,
    needs: 'money',
    act: async (call) => {
      if (idOf(call) === call.operator.operatorId)
        throw new Refusal('not_possible', 'you would shut yourself out: ask another operator')
      await call.clients.operators.disableOperator({ operatorId: idOf(call) })
      return { goTo: PATH, said: `Operator ${idOf(call)} is disabled and signed out.` }
    },
    back: () => PATH,
  })
  addAction(app, parts, {
    path: `${PATH}/:operator_id/enable`,
    needs: 'money',
    act: async (call) => {
      await call.clients.operators.enableOperator({ operatorId: idOf(call) })
      return { goTo: PATH, said: `Operator ${idOf(call)} may sign in again.` }
    },
    back: () => PATH,
  })
}

const idOf = ({ params }: Pick<ActionCall, 'params'>): bigint => {
  const id = /^[1-9]\d{0,17}$/.exec(params['operator_id'] ?? '')?.[0]
  if (id === undefined) throw new Refusal('not_found', 'there is no such operator')
  return BigInt(id)
}

const afterOf = ({ query }: Pick<Call, 'query'>): bigint | undefined => {
  const given = query.get('after')
  if (given === null) return undefined
  if (!/^[1-9]\d{0,17}$/.test(given)) throw new Refusal('wrong_field', 'after must be the id of an operator')
  return BigInt(given)
}

const listPage = async (call: Call, refusal: Refusal | null = null): Promise<Page> => {
  const { operators, nextAfter } = await call.clients.operators.listOperators({ after: afterOf(call) })
  const mayChange = call.operator.role === 'money'
  const columns = [
    { head: 'Name', cell: ({ name }: Operator) => name },
    { head: 'Role', cell: ({ role }: Operator) => role },
    { head: 'State', cell: stateOf },
    { head: 'Signs in by', cell: ({ hasPassword }: Operator) => (hasPassword ? 'password, link' : 'link') },
    { head: 'Seen', cell: ({ usedAt }: Operator) => (usedAt ? ago(usedAt, call.now) : 'not signed in') },
    { head: 'Since', cell: ({ createdAt }: Operator) => time(createdAt) },
    ...(mayChange ? [{ head: 'Change', cell: changesOf }] : []),
  ]
  const next = nextAfter === undefined ? null : String(nextAfter)
  return {
    title: 'Operators',
    body: html`<p>Who may use this console. <b>look</b> reads, <b>mend</b> changes what can be undone or repeated, <b>money</b> also
settles payments, erases payers and manages operators.</p>
${table({ caption: 'Operators, oldest first', columns, rows: operators, none: 'None.' })}
${pager(call, { cursor: 'after', next, csv: true })}
${mayChange ? section('New operator', createForm(refusal)) : ''}`,
  }
}

const stateOf = ({ disabledAt }: Operator) =>
  disabledAt ? badge('disabled', 'bad') : badge('may sign in', 'good')

const changesOf = ({ operatorId, name, role, disabledAt }: Operator) => {
  const to = `${PATH}/${operatorId}`
  if (disabledAt) return postForm({ action: `${to}/enable`, button: `Enable ${name}` })
  const roles = OPERATOR_ROLES.map((one) => [one, one] as const)
  const id = `role-of-${operatorId}`
  return html`<details><summary>Change ${name}</summary>
${postForm({ action: `${to}/link`, button: 'New sign-in link' })}
${postForm({
  action: `${to}/role`,
  button: 'Set the role',
  fields: [field({ id, name: 'role', label: 'Role', kind: 'select', options: roles, value: role })],
})}
${postForm({ action: `${to}/disable`, button: 'Disable', tone: 'danger' })}</details>`
}

const createForm = (refusal: Refusal | null) =>
  html`${refusal === null ? '' : notice('bad', refusal.message)}${postForm({
    action: PATH,
    button: 'Create',
    fields: [
      field({
        name: 'name',
        label: 'Name',
        hint: 'By which the operator signs in and stands in the audit log.',
        problem: refusal?.field === 'name' ? refusal.message : null,
        required: true,
        autocomplete: 'off',
      }),
      field({
        name: 'role',
        label: 'Role',
        kind: 'select',
        options: OPERATOR_ROLES.map((role) => [role, role] as const),
      }),
    ],
  })}`

/** The code is shown this once. */
const codePage = (name: string, code: string): Page => ({
  title: 'Sign-in link',
  body: html`<p>Give this to ${name}: it signs in once and within an hour, and is shown this once.</p>
<pre class="foreign" tabindex="0">/sign-in/link#${code}</pre><p>Put the address of this console before it, or open <a href="/sign-in/link">Sign in by a
link</a> and paste what stands behind the #.</p><p><a href="${PATH}">Back to the operators</a></p>`,
})

const COLUMNS = ['operator_id', 'name', 'role', 'has_password', 'created_at', 'disabled_at', 'used_at']

const rowsOf = async function* ({ clients }: Call) {
  const all = everyPage(async (after: bigint | null) => {
    const page = await clients.operators.listOperators({ pageSize: 1000, after: after ?? undefined })
    return { rows: page.operators, next: page.nextAfter ?? null }
  })
  for await (const one of all) {
    const instants = [one.createdAt, one.disabledAt, one.usedAt].map((at) => (at ? toDate(at) : null))
    yield [one.operatorId, one.name, one.role, one.hasPassword, ...instants]
  }
}
