import { html, type SafeHtml } from '@remix-run/html-template'
import { type Endpoint, EndpointState } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { suffices } from '../../values/operator-role.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { badge, type Content, facts, link, section } from '../page/elements.ts'
import { filterForm, hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { type Column, pager, table } from '../page/table.ts'
import { ago, time } from '../page/time.ts'
import { lastUrl, testCallbackForm } from '../partners/test-callback.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Call, Done } from '../route.ts'
import { readPartner, textOf } from './delivery-filter.ts'
import { columnsAt, cutOf, tabs } from './delivery-list.ts'
import { countText, endpointAddress, endpointBadge, hostLink, isoOf, partnerText } from './delivery-words.ts'

const PAGE_SIZE = 100
const CSV_PAGE_SIZE = 1000

/** Deliveries that the page of an endpoint shows. */
const NEWEST = 10

const readList = (query: URLSearchParams) => {
  const partnerId = readPartner(query)
  return {
    ...(partnerId !== null && { partnerId }),
    pausedOnly: query.get('paused') === 'yes',
    test: query.get('test') === 'yes',
  }
}

/** `/deliveries/endpoints`: those that are in trouble, paused, or have deliveries that did not arrive. */
export const endpointsPage = async (call: Call): Promise<Page> => {
  const { clients, query } = call
  const asked = { ...readList(query), pageSize: PAGE_SIZE, pageToken: query.get('after') ?? '' }
  const listed = await clients.deliveries.listEndpoints(asked)
  const next = listed.nextPageToken === '' ? null : listed.nextPageToken
  return {
    title: 'Endpoints',
    liveSeconds: 10,
    body: html`${tabs()}${filterForm('/deliveries/endpoints', [
      { kind: 'search', name: 'partner', label: 'Partner', value: query.get('partner') },
      {
        kind: 'select',
        name: 'paused',
        label: 'Which',
        value: query.get('paused'),
        options: [
          ['', 'all in trouble'],
          ['yes', 'paused'],
        ],
      },
      {
        kind: 'select',
        name: 'test',
        label: 'Payments',
        value: query.get('test'),
        options: [
          ['', 'real'],
          ['yes', 'test'],
        ],
      },
    ])}<div data-live="list">${table({
      caption: 'That fail, are paused, or have deliveries that did not arrive; by partner and host',
      columns: columnsOf(call),
      rows: listed.endpoints,
      none: 'None: all that were asked are well.',
    })}</div>${pager(call, { cursor: 'after', next, csv: true })}`,
  }
}

const columnsOf = ({ now }: Call): Column<Endpoint>[] => [
  { head: 'Host', cell: hostLink, kind: 'words' },
  { head: 'Partner', cell: partnerText },
  { head: 'State', cell: endpointBadge },
  { head: 'Failures in a row', cell: ({ failures }) => failures, kind: 'number' },
  { head: 'Asked next', cell: ({ openUntil }) => (openUntil === undefined ? null : time(openUntil)) },
  { head: 'Waiting', cell: waitingOf, kind: 'number' },
  { head: 'Held', cell: heldOf, kind: 'number' },
  { head: 'Dead or cancelled', cell: deadOf, kind: 'number' },
  {
    head: 'Oldest',
    cell: ({ oldestCreatedAt }) => (oldestCreatedAt === undefined ? null : ago(oldestCreatedAt, now)),
  },
]

const waitingOf = (one: Endpoint): Content => countLink(one, 'pending', one.pending, one.pendingOrMore)
const heldOf = (one: Endpoint): Content => countLink(one, 'held', one.held, one.heldOrMore)
const deadOf = (one: Endpoint): Content => countLink(one, 'dead', one.dead, one.deadOrMore)

const countLink = (one: Endpoint, state: string, count: bigint, orMore: boolean): Content =>
  count === 0n && !orMore ? '0' : link(listAddress(one, state), countText(count, orMore))

const listAddress = (one: { partnerId: bigint; host: string; test: boolean }, state: string): string => {
  const query = new URLSearchParams({ state, partner: String(one.partnerId), host: one.host })
  if (one.test) query.set('test', 'yes')
  return `/deliveries?${query.toString()}`
}

const furtherBack = (named: { partnerId: bigint; host: string }, before: bigint | undefined): string => {
  const query = new URLSearchParams({ partner: String(named.partnerId), host: named.host })
  if (before !== undefined) query.set('before', String(before))
  return `/deliveries?${query.toString()}`
}

/** The same as CSV. */
export const endpointsCsv = ({ clients, query }: Call): CsvList => {
  const filter = readList(query)
  return {
    name: 'endpoints',
    columns: [
      'partner_id',
      'test',
      'host',
      'state',
      'failures',
      'open_until',
      'paused_at',
      'paused_by',
      'pending',
      'held',
      'dead',
      'oldest_created_at',
    ],
    rows: everyPage(async (pageToken: string | null) => {
      const asked = { ...filter, pageSize: CSV_PAGE_SIZE, pageToken: pageToken ?? '' }
      const page = await clients.deliveries.listEndpoints(asked)
      return { rows: page.endpoints.map(toCells), next: page.nextPageToken || null }
    }),
  }
}

const STATE_WORDS: Readonly<Record<EndpointState, string>> = {
  [EndpointState.UNSPECIFIED]: 'closed',
  [EndpointState.CLOSED]: 'closed',
  [EndpointState.OPEN]: 'open',
  [EndpointState.HALF_OPEN]: 'half_open',
  [EndpointState.RAMPING]: 'ramping',
}

const toCells = (one: Endpoint) => [
  one.partnerId,
  one.test,
  one.host,
  STATE_WORDS[one.state],
  one.failures,
  isoOf(one.openUntil),
  isoOf(one.pausedAt),
  one.pausedBy,
  countText(one.pending, one.pendingOrMore),
  countText(one.held, one.heldOrMore),
  countText(one.dead, one.deadOrMore),
  isoOf(one.oldestCreatedAt),
]

/** The endpoint that an address, or a form, names. */
const readEndpoint = (from: URLSearchParams): { partnerId: bigint; host: string } => {
  const partnerId = readPartner(from)
  const host = textOf(from, 'host')
  if (partnerId === null || host === '')
    throw new Refusal('wrong_field', 'partner and host must name an endpoint', { field: 'host' })
  return { partnerId, host }
}

/** `/deliveries/endpoint`: one endpoint, what is held for it, and what may be done. */
export const endpointPage = async (call: Call): Promise<Page> => {
  const { clients, operator, query, now } = call
  const named = readEndpoint(query)
  const [{ endpoints }, newest] = await Promise.all([
    clients.deliveries.listEndpoints({ partnerId: named.partnerId, host: named.host, pageSize: 1 }),
    clients.deliveries.listDeliveries({ filter: named, pageSize: NEWEST }),
  ])
  const [endpoint] = endpoints
  const cut = cutOf(newest, NEWEST)
  return {
    title: named.host,
    liveSeconds: 5,
    body: html`${tabs()}<div data-live="facts">${facts(factsOf(named, endpoint, now))}</div>
${suffices(operator.role, 'mend') ? section('What can be done', verbs(named, endpoint), { live: 'verbs' }) : ''}
${suffices(operator.role, 'mend') ? section('Test callbacks', await testForm(call, named)) : ''}
${section(
  'Its newest deliveries',
  html`${table({ caption: 'The newest first', columns: columnsAt(now), rows: newest.deliveries, none: 'None.' })}${
    cut === null
      ? ''
      : html`<p class="none">${cut} ${link(furtherBack(named, newest.nextBefore), 'Look further back')}</p>`
  }`,
  { live: 'deliveries' },
)}`,
  }
}

const factsOf = (
  named: { partnerId: bigint; host: string },
  endpoint: Endpoint | undefined,
  now: Date,
): (readonly [string, Content])[] => {
  const partner = ['Partner', partnerText({ partnerId: named.partnerId, test: false })] as const
  if (endpoint === undefined) return [['State', badge('well', 'good')], partner]
  const pausedBy = endpoint.pausedBy === undefined ? '' : ` by ${endpoint.pausedBy}`
  return [
    ['State', endpointBadge(endpoint)],
    partner,
    ['Paused', endpoint.pausedAt === undefined ? null : html`${time(endpoint.pausedAt)}${pausedBy}`],
    ['Failures in a row', endpoint.failures],
    ['Asked next', endpoint.openUntil === undefined ? null : time(endpoint.openUntil)],
    ['Waiting', waitingOf(endpoint)],
    ['Held', heldOf(endpoint)],
    ['Dead or cancelled', deadOf(endpoint)],
    ['Oldest outcome', endpoint.oldestCreatedAt === undefined ? null : ago(endpoint.oldestCreatedAt, now)],
  ]
}

const testForm = async ({ clients }: Call, named: { partnerId: bigint; host: string }): Promise<SafeHtml> => {
  const url = (await lastUrl(clients, named)) ?? `https://${named.host}/`
  return testCallbackForm(clients, { partnerId: named.partnerId, host: named.host, url, outcome: null })
}

const verbs = (named: { partnerId: bigint; host: string }, endpoint: Endpoint | undefined): SafeHtml => {
  const fields = [hidden('partner', String(named.partnerId)), hidden('host', named.host)]
  const form = (verb: string, button: string, text: string): SafeHtml =>
    postForm({
      action: `/deliveries/endpoint/${verb}`,
      button,
      fields: [...fields, html`<p>${text}</p>`],
    })
  if (endpoint?.pausedAt !== undefined)
    return form('resume', 'Resume', 'What is held goes out, a little a second at first and then more.')
  const isDown = endpoint?.state === EndpointState.OPEN
  return html`${
    isDown
      ? form(
          'probe',
          'Ask it now',
          'One delivery that is held goes out at once; if it arrives, the others follow.',
        )
      : ''
  }${form('pause', 'Pause', 'Nothing goes to it until it is resumed; nothing is lost, and nothing dies of waiting.')}`
}

export const pauseEndpoint = async (call: ActionCall): Promise<Done> => {
  const named = readEndpoint(call.form)
  await call.clients.deliveries.pauseEndpoint(named)
  return { goTo: endpointAddress(named), said: 'It is paused: what is for it is held.' }
}

export const resumeEndpoint = async (call: ActionCall): Promise<Done> => {
  const named = readEndpoint(call.form)
  const { held, heldOrMore } = await call.clients.deliveries.resumeEndpoint(named)
  return { goTo: endpointAddress(named), said: `It is resumed. Held for it: ${countText(held, heldOrMore)}.` }
}

export const probeEndpoint = async (call: ActionCall): Promise<Done> => {
  const named = readEndpoint(call.form)
  const { state, held, heldOrMore } = await call.clients.deliveries.probeEndpoint(named)
  const said =
    state === EndpointState.OPEN
      ? `It is asked now, by one of ${countText(held, heldOrMore)} that are held.`
      : 'It is not down, or is being asked already.'
  return { goTo: endpointAddress(named), said }
}

export const backToEndpoint = (call: ActionCall): string => {
  const query = new URLSearchParams()
  for (const name of ['partner', 'host']) query.set(name, textOf(call.form, name))
  return `/deliveries/endpoint?${query.toString()}`
}
