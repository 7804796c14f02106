import { html, type SafeHtml } from '@remix-run/html-template'
import type { TimelineEntry } from '../../gen/mpesa/gateway/v1/payment_timeline_pb.js'
import { badge, facts, foreignText, link, type Tone } from '../page/elements.ts'
import { time } from '../page/time.ts'

/** All that came of a payment, by all parties, in the order of time. */
export const timelineView = (entries: readonly TimelineEntry[]): SafeHtml =>
  html`<ol class="timeline">${entries.map(entryView)}</ol>`

const TONES: Readonly<Record<string, Tone>> = { good: 'good', bad: 'bad' }

const entryView = (entry: TimelineEntry): SafeHtml => {
  const { party, sentence, tone, details, evidence, ahead } = entry
  const classes = ['entry', tone, ahead ? 'ahead' : ''].filter((one) => one !== '').join(' ')
  return html`<li class="${classes}"><div class="when">${time(entry.at)} ${badge(party, TONES[tone] ?? 'plain')}</div>
<div class="what"><p>${ahead ? html`<em>To come:</em> ` : ''}${sentence} ${moreOf(entry)}</p>${
    details.length === 0 && evidence === undefined
      ? ''
      : html`<details><summary>${evidence === undefined ? 'Details' : 'Details and what came'}</summary>${facts(
          details.map(({ name, value }) => [name, value] as const),
        )}${evidence === undefined ? '' : foreignText(evidence)}</details>`
  }</div></li>`
}

const moreOf = ({ kind, deliveryId }: TimelineEntry): SafeHtml | string =>
  deliveryId !== undefined && (kind === 'delivery' || kind === 'next_attempt')
    ? link(`/deliveries/${deliveryId}`, `delivery ${deliveryId}`)
    : ''
