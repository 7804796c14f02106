import { html, type SafeHtml } from '@remix-run/html-template'
import type { Partner, PartnerSettings } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import { facts, notice } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import { filled, readId } from '../page/read-id.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Done } from '../route.ts'

const NONE = 'none of its own'

/** The bounds, each as the form has it; empty for one that a partner has none of. */
type Bounds = Readonly<Record<BoundName, string>>

type BoundName = keyof typeof LABELS

const LABELS = {
  callback_hosts: 'Callback hosts',
  requests_per_second: 'Requests a second',
  max_payment_kes: 'KES a payment',
  max_daily_kes: 'KES a day',
} as const

const NAMES = ['callback_hosts', 'requests_per_second', 'max_payment_kes', 'max_daily_kes'] as const

const boundsOf = (settings: PartnerSettings | undefined): Bounds => ({
  callback_hosts: (settings?.callbackHosts ?? []).join(' '),
  requests_per_second: String(settings?.requestsPerSecond ?? ''),
  max_payment_kes: String(settings?.maxPaymentKes ?? ''),
  max_daily_kes: String(settings?.maxDailyKes ?? ''),
})

/** What bounds a partner; a form for whoever may change it. */
export const limitsForm = (
  { partnerId, settings }: Partner,
  { role, refused }: { role: OperatorRole; refused: Refusal | null },
): SafeHtml => {
  const bounds = boundsOf(settings)
  const now = facts(NAMES.map((name) => [LABELS[name], shown(name, bounds)] as const))
  if (!suffices(role, 'money')) return now
  const form = postForm({
    action: `/partners/${partnerId}/bounds`,
    button: 'Set the bounds',
    fields: NAMES.flatMap((name) => [
      field({
        name,
        label: LABELS[name],
        value: bounds[name],
        hint:
          name === 'callback_hosts'
            ? 'Names, or *. and a name, with blanks between; empty: anywhere public.'
            : 'Empty: none of its own.',
        problem: refused?.field === `settings.${name}` ? refused.message : null,
      }),
      hidden(wasName(name), bounds[name]),
    ]),
  })
  return html`${now}${refused === null ? '' : notice('bad', refused.message)}<details${refused === null ? '' : html` open`}><summary>Change them</summary>${form}</details>`
}

const shown = (name: BoundName, bounds: Bounds): string => {
  if (bounds[name] === '') return name === 'callback_hosts' ? 'anywhere public' : NONE
  return name === 'callback_hosts' ? bounds[name].replaceAll(' ', ', ') : bounds[name]
}

/** Under this name the form carries what a bound was when its page was made. */
const wasName = (name: BoundName): string => `was_${name}`

/**
 * Sets those that were filled in otherwise than they were. What another operator has set meanwhile stays; where it is one
 * of these, nothing is set.
 */
export const setBounds = async (call: ActionCall): Promise<Done> => {
  const partnerId = readId(call.params['id'], 'partner')
  const { form } = call
  const goTo = `/partners/${partnerId}`
  const changed = NAMES.filter((name) => (filled(form, name) ?? '') !== form.get(wasName(name)))
  if (changed.length === 0) return { goTo, said: 'The bounds are as they were.' }
  await requireSame(call, partnerId, changed)
  await call.clients.partners.setPartnerSettings({
    partnerId,
    settings: {
      callbackHosts: (filled(form, 'callback_hosts') ?? '').split(/[\s,]+/).filter((host) => host !== ''),
      requestsPerSecond: readNumber(form, 'requests_per_second'),
      maxPaymentKes: readNumber(form, 'max_payment_kes'),
      maxDailyKes: toBigInt(readNumber(form, 'max_daily_kes')),
    },
    updateMask: { paths: changed },
  })
  return { goTo, said: 'The bounds are set: they hold within five seconds.' }
}

/** Throws `Refusal` where one of the bounds is not any more what the form says that it was. */
const requireSame = async (
  { clients, form }: ActionCall,
  partnerId: bigint,
  changed: readonly BoundName[],
): Promise<void> => {
  const { partner } = await clients.partners.getPartner({ partnerId })
  const bounds = boundsOf(partner?.settings)
  for (const name of changed) {
    const was = form.get(wasName(name))
    if (was === null || was === bounds[name]) continue
    const now = shown(name, bounds)
    throw new Refusal(
      'not_possible',
      `Nothing was set: ${LABELS[name]} is ${now} by now, as another operator set it.`,
    )
  }
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
