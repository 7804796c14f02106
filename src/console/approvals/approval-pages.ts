import { html } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { Approval } from '../../gen/mpesa/gateway/v1/approvals_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { everyPage } from '../csv.ts'
import { link } from '../page/elements.ts'
import { postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { readId } from '../page/read-id.ts'
import { pager, table } from '../page/table.ts'
import { time, toDate } from '../page/time.ts'
import { type ActionCall, addAction, addPage, type Call } from '../route.ts'

const PATH = '/approvals'

/** What waits for another operator: seen by everybody, decided by whoever may move money and did not ask. */
export const addApprovalPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: PATH,
    needs: 'look',
    answer: listPage,
    csv: (call) => ({ name: 'approvals', columns: CSV_COLUMNS, rows: csvRows(call) }),
  })
  addAction(app, parts, {
    path: `${PATH}/:id/approve`,
    needs: 'money',
    act: async (call) => {
      const { done } = await call.clients.approvals.approveChange({ approvalId: idOf(call) })
      return { goTo: PATH, said: done }
    },
    back: () => PATH,
  })
  addAction(app, parts, {
    path: `${PATH}/:id/refuse`,
    needs: 'money',
    act: async (call) => {
      await call.clients.approvals.refuseChange({ approvalId: idOf(call) })
      return { goTo: PATH, said: `Approval ${idOf(call)} is refused.` }
    },
    back: () => PATH,
  })
}

const idOf = ({ params }: ActionCall): bigint => readId(params['id'], 'approval')

const afterOf = ({ query }: Call): bigint | undefined =>
  query.has('after') ? readId(query.get('after') ?? '', 'approval') : undefined

const listPage = async (call: Call): Promise<Page> => {
  const { approvals, nextAfter } = await call.clients.approvals.listApprovals({ after: afterOf(call) })
  const { name, role } = call.operator
  const columns = [
    { head: 'What will happen', cell: ({ what }: Approval) => what },
    { head: 'Payment', cell: ({ paymentId }: Approval) => link(`/payments/${paymentId}`, String(paymentId)) },
    { head: 'Why', cell: ({ reason }: Approval) => reason ?? '–' },
    { head: 'Asked by', cell: ({ askedBy }: Approval) => askedBy },
    { head: 'Until', cell: ({ expiresAt }: Approval) => time(expiresAt) },
    ...(role === 'money'
      ? [
          {
            head: 'Decide',
            kind: 'words' as const,
            cell: (one: Approval) => (one.askedBy === name ? 'by another' : decideForms(one)),
          },
        ]
      : []),
  ]
  return {
    title: 'Approvals',
    body: html`<p>What one operator asked for and another with the role money decides, within a day.</p>
${table({ caption: `${approvals.length} waiting, oldest first`, columns, rows: approvals, none: 'Nothing waits.' })}
${pager(call, { cursor: 'after', next: nextAfter === undefined ? null : String(nextAfter), csv: true })}`,
  }
}

const decideForms = ({ approvalId: id }: Approval) =>
  html`${postForm({
    action: `${PATH}/${id}/approve`,
    button: `Approve ${id}`,
    tone: 'danger',
  })}${postForm({ action: `${PATH}/${id}/refuse`, button: `Refuse ${id}` })}`

const CSV_COLUMNS = [
  'approval_id',
  'kind',
  'payment_id',
  'what',
  'reason',
  'asked_by',
  'asked_at',
  'expires_at',
]

const csvRows = async function* ({ clients }: Call) {
  const all = everyPage(async (after: bigint | null) => {
    const page = await clients.approvals.listApprovals({ pageSize: 1000, after: after ?? undefined })
    return { rows: page.approvals, next: page.nextAfter ?? null }
  })
  for await (const one of all) {
    const instants = [one.askedAt, one.expiresAt].map((at) => (at ? toDate(at) : null))
    yield [one.approvalId, one.kind, one.paymentId, one.what, one.reason, one.askedBy, ...instants]
  }
}
