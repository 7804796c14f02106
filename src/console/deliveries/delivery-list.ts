import { html, type SafeHtml } from '@remix-run/html-template'
import type { Delivery } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { suffices } from '../../values/operator-role.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { link } from '../page/elements.ts'
import { filterForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { type Column, pager, table } from '../page/table.ts'
import { ago } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import type { Call } from '../route.ts'
import { filterFields, filterOf, readFilter, readState } from './delivery-filter.ts'
import {
  CANCELLED,
  counted,
  deliveryAddress,
  hostLink,
  isoOf,
  partnerText,
  RETRIED,
  stateBadge,
  stateNameOf,
  waitsFor,
  whyText,
} from './delivery-words.ts'

const PAGE_SIZE = 50
const CSV_PAGE_SIZE = 1000

/** Deliveries that a page which refreshes itself looks at at most, to say how many fit. */
export const MOST_LOOKED_AT = 10_000

/** The pages of the group, above each of them. */
export const tabs = (): SafeHtml =>
  html`<p class="tabs">${link('/deliveries', 'Deliveries')} · ${link('/deliveries/endpoints', 'Endpoints')} · ${link('/deliveries?state=held', 'Held')} · ${link('/deliveries?state=dead', 'Dead')}</p>`

/** `/deliveries`: those that fit the address, the newest first. */
export const listPage = async (call: Call): Promise<Page> => {
  const { clients, query } = call
  const filter = readFilter(query)
  const before = readCursor(query)
  const listed = await clients.deliveries.listDeliveries({
    filter,
    pageSize: PAGE_SIZE,
    ...(before !== null && { before }),
  })
  const next = listed.nextBefore === undefined ? null : String(listed.nextBefore)
  const cut = cutOf(listed, PAGE_SIZE)
  return {
    title: 'Deliveries',
    liveSeconds: 10,
    body: html`${tabs()}${filterForm('/deliveries', filterFields(query))}${await changeLinks(call)}
<div data-live="list">${table({
      caption: 'The newest first',
      columns: columnsAt(call.now),
      rows: listed.deliveries,
      none: cut === null ? 'No delivery fits.' : 'None of these fits.',
    })}</div>${pager(call, { cursor: 'before', next, csv: true, cut })}`,
  }
}

/** How far it was looked, where a page is not full and there may be more all the same; null where it is, or there is not. */
export const cutOf = (
  { deliveries, nextBefore }: { deliveries: readonly Delivery[]; nextBefore?: bigint | undefined },
  pageSize: number,
): string | null =>
  nextBefore === undefined || deliveries.length === pageSize
    ? null
    : `It was looked as far back as delivery ${nextBefore}: there may be more before it.`

const readCursor = (query: URLSearchParams): bigint | null => {
  const text = query.get('before')
  if (text === null) return null
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new Refusal('wrong_field', 'before must be the id of a delivery')
  return BigInt(text)
}

/** How many fit, and what may be done to all of them, where the filter names a state of which all may be changed. */
const changeLinks = async (call: Call): Promise<SafeHtml | null> => {
  const state = readState(call.query)
  if (state === null || !RETRIED.includes(state)) return null
  const filter = readFilter(call.query)
  const { found, foundOrMore } = await call.clients.deliveries.retryDeliveries({
    filter,
    validateOnly: true,
    lookAtMost: MOST_LOOKED_AT,
  })
  const verbs = [
    ...(RETRIED.includes(state) ? (['retry'] as const) : []),
    ...(CANCELLED.includes(state) ? (['cancel'] as const) : []),
  ]
  const links = verbs.map(
    (verb) =>
      html` ${link(`/deliveries/all/${verb}?${filterOf(call.query).toString()}`, verb === 'retry' ? 'Retry all that fit…' : 'Cancel all that fit…')}`,
  )
  const may = suffices(call.operator.role, 'mend') && (found > 0n || foundOrMore)
  return html`<p data-live="count"><strong>${counted(found, foundOrMore)}</strong> ${found === 1n && !foundOrMore ? 'fits' : 'fit'}.${may ? links : ''}</p>`
}

export const columnsAt = (now: Date): Column<Delivery>[] => [
  { head: 'Delivery', cell: ({ deliveryId }) => link(deliveryAddress(deliveryId), String(deliveryId)) },
  { head: 'State', cell: stateBadge },
  { head: 'Partner', cell: partnerText },
  { head: 'Host', cell: hostLink, kind: 'words' },
  { head: 'Why', cell: whyText, kind: 'words' },
  { head: 'Attempts', cell: ({ attempts }) => attempts, kind: 'number' },
  { head: 'Waits', cell: waitsFor },
  { head: 'Outcome', cell: ({ createdAt }) => ago(createdAt, now) },
  { head: 'Payment', cell: ({ paymentId }) => paymentLink(paymentId) },
]

export const paymentLink = (paymentId: bigint): SafeHtml | null =>
  paymentId === 0n ? null : link(`/payments/${paymentId}`, String(paymentId))

/** The same as CSV, all that fit. */
export const listCsv = ({ clients, query }: Call): CsvList => {
  const filter = readFilter(query)
  return {
    name: 'deliveries',
    columns: [
      'delivery_id',
      'payment_id',
      'partner_id',
      'test',
      'host',
      'state',
      'attempts',
      'error_class',
      'status',
      'reason',
      'created_at',
      'next_attempt_at',
      'held_because',
      'held_until',
      'ended_at',
      'webhook_id',
    ],
    rows: everyPage(async (before: bigint | null) => {
      const page = await clients.deliveries.listDeliveries({
        filter,
        pageSize: CSV_PAGE_SIZE,
        ...(before !== null && { before }),
      })
      return { rows: page.deliveries.map(toCells), next: page.nextBefore ?? null }
    }),
  }
}

const toCells = (one: Delivery) => [
  one.deliveryId,
  one.paymentId,
  one.partnerId,
  one.test,
  one.host,
  stateNameOf(one.state),
  one.attempts,
  one.errorClass,
  one.status,
  one.reason,
  isoOf(one.createdAt),
  isoOf(one.nextAttemptAt),
  one.heldBecause,
  isoOf(one.heldUntil),
  isoOf(one.endedAt),
  one.webhookId,
]
