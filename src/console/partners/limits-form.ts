import { html, type SafeHtml } from '@remix-run/html-template'
import type { Partner } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import { facts, notice } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import { filled, readId } from '../page/read-id.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Done } from '../route.ts'

const NONE = 'none of its own'

/** What bounds a partner; a form for whoever may change it. */
export const limitsForm = (
  { partnerId, settings }: Partner,
  { role, refused }: { role: OperatorRole; refused: Refusal | null },
): SafeHtml => {
  const hosts = settings?.callbackHosts ?? []
  const numbers = [
    ['requests_per_second', 'Requests a second', settings?.requestsPerSecond],
    ['max_payment_kes', 'KES a payment', settings?.maxPaymentKes],
    ['max_daily_kes', 'KES a day', settings?.maxDailyKes],
  ] as const
  const now = facts([
    ['Callback hosts', hosts.length === 0 ? 'anywhere public' : hosts.join(', ')],
    ...numbers.map(([, label, value]) => [label, value === undefined ? NONE : String(value)] as const),
  ])
  if (!suffices(role, 'money')) return now
  const problemOf = (name: string): string | null =>
    refused?.field === `settings.${name}` ? refused.message : null
  const form = postForm({
    action: `/partners/${partnerId}/bounds`,
    button: 'Set the bounds',
    fields: [
      field({
        name: 'callback_hosts',
        label: 'Callback hosts',
        value: hosts.join(' '),
        hint: 'Names, or *. and a name, with blanks between; empty: anywhere public.',
        problem: problemOf('callback_hosts'),
      }),
      ...numbers.map(([name, label, value]) =>
        field({
          name,
          label,
          value: value === undefined ? '' : String(value),
          hint: 'Empty: none of its own.',
          problem: problemOf(name),
        }),
      ),
    ],
  })
  return html`${now}${refused === null ? '' : notice('bad', refused.message)}<details${refused === null ? '' : html` open`}><summary>Change them</summary>${form}</details>`
}

/** Sets all of them as they were filled in. */
export const setBounds = async (call: ActionCall): Promise<Done> => {
  const partnerId = readId(call.params['id'], 'partner')
  const { form } = call
  await call.clients.partners.setPartnerSettings({
    partnerId,
    settings: {
      callbackHosts: (filled(form, 'callback_hosts') ?? '').split(/[\s,]+/).filter((host) => host !== ''),
      requestsPerSecond: readNumber(form, 'requests_per_second'),
      maxPaymentKes: readNumber(form, 'max_payment_kes'),
      maxDailyKes: toBigInt(readNumber(form, 'max_daily_kes')),
    },
  })
  return { goTo: `/partners/${partnerId}`, said: 'The bounds are set: they hold within five seconds.' }
}

const readNumber = (form: URLSearchParams, name: string): number | undefined => {
  const text = filled(form, name)
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text) || (name !== 'max_daily_kes' && Number(text) > 2 ** 31 - 1))
    throw new Refusal('wrong_field', 'It must be a whole number, or empty.', { field: `settings.${name}` })
  return Number(text)
}

const toBigInt = (number: number | undefined): bigint | undefined =>
  number === undefined ? undefined : BigInt(number)
