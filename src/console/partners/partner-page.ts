import { html, type SafeHtml } from '@remix-run/html-template'
import type { Account } from '../../gen/mpesa/gateway/v1/accounts_pb.js'
import { type Endpoint, EndpointState } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { ApiKey, Partner } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Payment } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import { badge, facts, link, section } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { payerOf, paymentLink, stateBadge } from '../page/payment-words.ts'
import { readId } from '../page/read-id.ts'
import { type Column, table } from '../page/table.ts'
import { ago, time } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import type { Call } from '../route.ts'
import { ACCOUNTS_PATH } from './accounts-page.ts'
import { keyTable } from './key-table.ts'
import { limitsForm } from './limits-form.ts'
import { partnerBadge } from './partner-list.ts'
import { lastUrl, testCallbackForm } from './test-callback.ts'

/** How many of its payments are shown. */
const LAST_PAYMENTS = 10

/** One partner: its keys, bounds, endpoints, account and last payments, and what may be done to it. */
export const partnerPage = async (call: Call, refused: Refusal | null = null): Promise<Page> => {
  const { clients, operator, now } = call
  const partnerId = readId(call.params['id'], 'partner')
  const { partner } = await clients.partners.getPartner({ partnerId })
  if (partner === undefined) throw new Refusal('not_found', `There is no partner ${partnerId}.`)
  const { keys } = await clients.partners.listKeys({ partnerId })
  const { endpoints } = await clients.deliveries.listEndpoints({ partnerId })
  const { accounts } = await clients.accounts.listAccounts({ partnerId })
  const { payments } = await clients.payments.findPayments({ query: { partnerId, pageSize: LAST_PAYMENTS } })
  return {
    title: partner.name,
    body: html`${aboutPartner(partner, operator.role)}
${section('API keys', keySection(partnerId, keys, { role: operator.role, now }))}
${section('Bounds', limitsForm(partner, { role: operator.role, refused }))}
${section('Endpoints', endpointTable(endpoints, now))}
${suffices(operator.role, 'mend') ? section('Test callbacks', await testForm(call, partnerId)) : ''}
${section('Account at Daraja', accountFacts(accounts))}
${section('Last payments', html`${paymentTable(payments, now)}<p>${link(`/payments?partner=${partnerId}`, 'All of its payments')}</p>`)}`,
  }
}

const aboutPartner = (partner: Partner, role: OperatorRole): SafeHtml => {
  const { partnerId, createdAt, disabledAt } = partner
  const about = facts([
    ['Id', String(partnerId)],
    ['State', partnerBadge(partner)],
    ['Since', time(createdAt)],
    ...(disabledAt === undefined ? [] : [['Disabled', time(disabledAt)] as const]),
  ])
  return html`${about}${suffices(role, 'mend') ? stateForm(partner) : ''}`
}

const testForm = async ({ clients }: Call, partnerId: bigint): Promise<SafeHtml> => {
  const url = (await lastUrl(clients, { partnerId })) ?? ''
  return testCallbackForm(clients, { partnerId, url, host: null, outcome: null })
}

const stateForm = ({ partnerId, disabledAt }: Partner): SafeHtml =>
  disabledAt === undefined
    ? html`<details><summary>Disable this partner</summary><p>Its requests are refused within five seconds, and nobody is prompted for it any more: what it has accepted and not pushed fails.</p>${postForm(
        {
          action: `/partners/${partnerId}/disable`,
          button: 'Disable it',
          tone: 'danger',
        },
      )}</details>`
    : postForm({ action: `/partners/${partnerId}/enable`, button: 'Enable it again' })

const keySection = (
  partnerId: bigint,
  keys: readonly ApiKey[],
  shown: { role: OperatorRole; now: Date },
): SafeHtml =>
  html`${keyTable(keys, shown)}${
    suffices(shown.role, 'money')
      ? html`<details><summary>A new key</summary>${postForm({
          action: `/partners/${partnerId}/keys`,
          button: 'Create the key',
          fields: [
            field({
              name: 'name',
              label: 'Name',
              required: true,
              autocomplete: 'off',
              hint: 'What its owner calls it.',
            }),
            field({
              name: 'kind',
              label: 'For',
              kind: 'select',
              options: [
                ['', 'real payments'],
                ['test', 'test payments'],
              ],
            }),
          ],
        })}</details>`
      : ''
  }`

const STATES: Partial<Record<EndpointState, readonly [string, 'good' | 'warn' | 'bad']>> = {
  [EndpointState.CLOSED]: ['well', 'good'],
  [EndpointState.OPEN]: ['down', 'bad'],
  [EndpointState.HALF_OPEN]: ['being asked', 'warn'],
  [EndpointState.RAMPING]: ['coming back', 'warn'],
}

const endpointBadge = ({ state, pausedAt }: Endpoint): SafeHtml => {
  if (pausedAt !== undefined) return badge('paused', 'warn')
  const [word, tone] = STATES[state] ?? ['unknown', 'warn']
  return badge(word, tone)
}

const endpointTable = (endpoints: readonly Endpoint[], now: Date): SafeHtml => {
  const columns: readonly Column<Endpoint>[] = [
    {
      head: 'Host',
      cell: ({ partnerId, host }) =>
        link(`/deliveries?${new URLSearchParams({ partner: String(partnerId), host }).toString()}`, host),
    },
    { head: 'State', cell: endpointBadge },
    { head: 'Waiting', kind: 'number', cell: ({ pending }) => String(pending) },
    { head: 'Held', kind: 'number', cell: ({ held }) => String(held) },
    { head: 'Dead', kind: 'number', cell: ({ dead }) => String(dead) },
    { head: 'Oldest', cell: ({ oldestCreatedAt }) => ago(oldestCreatedAt, now) },
  ]
  const none = 'None had trouble, is paused, or has anything held, dead or cancelled.'
  return table({ caption: 'Endpoints with anything to say', columns, rows: endpoints, none })
}

const accountFacts = (accounts: readonly Account[]): SafeHtml => {
  const current = accounts.filter(({ endedAt }) => endedAt === undefined)
  const all = html`<p>${link(ACCOUNTS_PATH, 'Check it, or another')}</p>`
  if (current.length === 0) return html`<p>The default one.</p>${all}`
  return html`${current.map(({ accountId, shortcode, createdAt }) =>
    facts([
      ['Id', String(accountId)],
      ['Shortcode', shortcode],
      ['Since', time(createdAt)],
    ]),
  )}${all}`
}

const paymentTable = (payments: readonly Payment[], now: Date): SafeHtml => {
  const columns: readonly Column<Payment>[] = [
    { head: 'Payment', cell: ({ paymentId }) => paymentLink(paymentId) },
    { head: 'State', cell: ({ state }) => stateBadge(state) },
    { head: 'KES', kind: 'number', cell: ({ amountKes }) => amountKes },
    { head: 'Payer', cell: payerOf },
    { head: 'Reference', cell: ({ reference }) => reference ?? null },
    { head: 'Accepted', cell: ({ createdAt }) => ago(createdAt, now) },
  ]
  return table({ caption: 'The newest first', columns, rows: payments, none: 'It has asked for none.' })
}
