import { html, type SafeHtml } from '@remix-run/html-template'
import { facts, link, notice, section } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Call, Done } from '../route.ts'
import { type Filter, filterOf, readFilter, readState, textOf } from './delivery-filter.ts'
import { MOST_LOOKED_AT, tabs } from './delivery-list.ts'
import { CANCELLED, counted, countText, RETRIED, STATES, type StateName } from './delivery-words.ts'

// All that fit a filter are counted first, by the same method that then changes them. What is counted is what is changed:
// outcomes that become known later are left out, and where more fit than were counted nothing is changed. Where there are
// too many to look at each, the page says at least how many fit, and that all of them are changed.

/** What is done to all that fit. */
export type Verb = 'retry' | 'cancel'

const STATES_OF: Record<Verb, readonly StateName[]> = { retry: RETRIED, cancel: CANCELLED }

/** How many a retry makes due a second, unless told otherwise: an endpoint that was down may be weak. */
const USUAL_RATE = 20
const MAX_RATE = 1000

const checkState = (verb: Verb, query: URLSearchParams): StateName => {
  const state = readState(query)
  if (state === null || !STATES_OF[verb].includes(state))
    throw new Refusal('wrong_field', `state must be ${STATES_OF[verb].join(', ')}`, { field: 'state' })
  return state
}

/** How many fit; `orMore`: of those that were looked at, and there are others. */
type Count = { found: bigint; orMore: boolean }

/** Counts by a dry run of what would change them; `lookAtMost`: 0 for as many as the method looks at. */
const countOf = async ({ clients }: Call, filter: Filter, lookAtMost = 0): Promise<Count> => {
  const counted = await clients.deliveries.retryDeliveries({ filter, validateOnly: true, lookAtMost })
  return { found: counted.found, orMore: counted.foundOrMore }
}

/** `/deliveries/all/:verb`: how many it would be, and what is to be known before. */
export const askPage = async (verb: Verb, call: Call, problem: string | null = null): Promise<Page> => {
  checkState(verb, call.query)
  const query = filterOf(call.query)
  if (!query.has('until')) query.set('until', call.now.toISOString())
  const count = await countOf(call, readFilter(query))
  const shown = [...query].map(([name, value]) => [NAMES[name] ?? name, value] as const)
  const body =
    count.found === 0n && !count.orMore
      ? html`<p>No delivery fits: there is nothing to ${verb}.</p>`
      : html`${countedText(verb, count)}${facts(shown)}${askForm(verb, { query, count })}`
  return {
    title: verb === 'retry' ? 'Retry all that fit' : 'Cancel all that fit',
    body: html`${tabs()}${problem === null ? '' : notice('bad', `Nothing was changed: ${problem}`)}${body}<p>${link(`/deliveries?${filterOf(call.query).toString()}`, 'Back to the list')}</p>`,
  }
}

const countedText = (verb: Verb, { found, orMore }: Count): SafeHtml =>
  html`<p><strong>${counted(found, orMore)}</strong> ${found === 1n && !orMore ? 'fits' : 'fit'}, and nothing is changed yet.${
    orMore ? ` There are too many to look at each: whatever fits is to be ${PAST[verb]}.` : ''
  }</p>`

const PAST: Record<Verb, string> = { retry: 'retried', cancel: 'cancelled' }

const NAMES: Readonly<Record<string, string>> = {
  state: 'State',
  partner: 'Partner',
  host: 'Host',
  error: 'Failed by',
  from: 'Outcome from',
  until: 'Outcome until',
  test: 'Test payments',
}

const askForm = (verb: Verb, { query, count }: { query: URLSearchParams; count: Count }): SafeHtml =>
  postForm({
    action: `/deliveries/all/${verb}`,
    button: `${verb === 'retry' ? 'Retry' : 'Cancel'} ${counted(count.found, count.orMore)}`,
    tone: verb === 'cancel' ? 'danger' : 'plain',
    fields: [
      ...[...query].map(([name, value]) => hidden(name, value)),
      hidden('counted', count.orMore ? OR_MORE : String(count.found)),
      verb === 'retry'
        ? field({
            kind: 'number',
            name: 'rate',
            label: 'So many a second',
            value: String(USUAL_RATE),
            hint: 'From 1 to 1000. Those that are held go out when their endpoint lets them.',
            required: true,
          })
        : field({
            name: 'reason',
            label: 'Why',
            hint: 'Kept with each of them. Retrying the cancelled ones undoes it.',
            required: true,
          }),
    ],
  })

/** What a form carries where not all that fit were counted. */
const OR_MORE = 'or_more'

/** Changes all that fit, if no more do than were counted, or whoever asks was told that more may. */
export const changeAll = async (verb: Verb, call: ActionCall): Promise<Done> => {
  const { form, clients } = call
  const query = filterOf(form)
  const state = checkState(verb, query)
  const filter = readFilter(query)
  if (textOf(form, 'counted') !== OR_MORE) await requireNoMore(call, filter)
  if (verb === 'retry') {
    const done = await clients.deliveries.retryDeliveries({ filter, perSecond: readRate(form) })
    const held =
      done.held > 0n ? ` ${done.held} of them are held, and go out when their endpoints are back.` : ''
    const said = `${counted(done.retried)} retried.${leftAlone(done.found - done.retried, 'an attempt is under way, or their payment has succeeded since')}${held}`
    return { goTo: progressAddress(verb, { query, state, count: done.retried }), said }
  }
  const done = await clients.deliveries.cancelDeliveries({ filter, reason: form.get('reason') ?? '' })
  const said = `${counted(done.cancelled)} cancelled.${leftAlone(done.found - done.cancelled, 'an attempt is under way')}`
  return { goTo: progressAddress(verb, { query, state, count: done.cancelled }), said }
}

const requireNoMore = async (call: ActionCall, filter: Filter): Promise<void> => {
  const expected = /^\d{1,12}$/.exec(textOf(call.form, 'counted'))?.[0]
  const { found, orMore } = await countOf(call, filter)
  if (expected === undefined || orMore || found > BigInt(expected))
    throw new Refusal(
      'not_possible',
      `${countText(found, orMore)} fit now, ${expected ?? 'none'} were counted.`,
    )
}

const leftAlone = (count: bigint, why: string): string => (count > 0n ? ` ${count} left alone: ${why}.` : '')

const readRate = (form: URLSearchParams): number => {
  const text = textOf(form, 'rate')
  const rate = Number(text)
  if (!/^\d{1,4}$/.test(text) || rate < 1 || rate > MAX_RATE)
    throw new Refusal('wrong_field', `the rate must be a whole number from 1 to ${MAX_RATE}`, {
      field: 'rate',
    })
  return rate
}

/** The form once more, by the filter that it carried. */
export const askAgain = (verb: Verb, call: ActionCall, refusal: Refusal): Promise<Page> => {
  const asked = { ...call, query: filterOf(call.form) }
  return askPage(verb, asked, refusal.message)
}

const progressAddress = (
  verb: Verb,
  { query, state, count }: { query: URLSearchParams; state: StateName; count: bigint },
): string => {
  const address = new URLSearchParams(query)
  address.set('state', state)
  address.set('count', String(count))
  return `/deliveries/all/${verb}/done?${address.toString()}`
}

/** The states in which what was changed may be now; of these none is looked for in the history. */
const LEFT: readonly StateName[] = ['pending', 'held', 'dead', 'cancelled']

/** `/deliveries/all/:verb/done`: how far it has come, and what undoes it. */
export const progressPage = async (verb: Verb, call: Call): Promise<Page> => {
  const query = filterOf(call.query)
  const count = /^\d{1,12}$/.exec(textOf(call.query, 'count'))?.[0] ?? '0'
  const filter = readFilter(query)
  const filters = LEFT.map((state) => Object.assign({}, filter, { state: STATES[state] }))
  const counts = await Promise.all(filters.map((each) => countOf(call, each, MOST_LOOKED_AT)))
  const rows = LEFT.map((state, index) => {
    const list = new URLSearchParams(query)
    list.set('state', state)
    const { found, orMore } = counts[index] ?? { found: 0n, orMore: false }
    return [state, link(`/deliveries?${list.toString()}`, countText(found, orMore))] as const
  })
  const undo = new URLSearchParams(query)
  undo.set('state', verb === 'retry' ? 'pending' : 'cancelled')
  undo.delete('error')
  const [text, other] =
    verb === 'retry' ? ['Cancel those that still wait…', 'cancel'] : ['Retry the cancelled ones…', 'retry']
  const what = verb === 'retry' ? 'made due' : 'cancelled'
  return {
    title: verb === 'retry' ? 'Retried' : 'Cancelled',
    liveSeconds: 3,
    body: html`${tabs()}<p>${counted(BigInt(count))} ${what}. What is in none of these states has been delivered.</p>
${section('What fits the filter now, whatever its state was', facts(rows), { live: 'progress' })}
<p>${link(`/deliveries/all/${other}?${undo.toString()}`, text)}</p>`,
  }
}
