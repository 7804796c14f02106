import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import { type Sentence, Severity } from '../../gen/mpesa/gateway/v1/overview_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { badge, link, type Tone } from '../page/elements.ts'
import type { Page } from '../page/page.ts'
import { ago, time } from '../page/time.ts'
import { addPage, type Call } from '../route.ts'
import { situationRow } from './situation-row.ts'

/** Now: what is wrong, the worst first, and what mends it. */
export const addNowPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: '/',
    needs: 'look',
    answer: nowPage,
    json: async ({ clients }) => situationRow(await clients.overview.getSituation({})),
  })
}

const nowPage = async ({ clients, now }: Call): Promise<Page> => {
  const { sentences, lastPaymentAt } = await clients.overview.getSituation({})
  return {
    title: 'Now',
    liveSeconds: 10,
    body: html`<div data-live="situation"><ol class="situation">${sentences.map((one) => sentenceItem(one, now))}</ol>
<p>Last payment: ${lastPaymentAt === undefined ? 'none that is known' : time(lastPaymentAt)}</p></div>`,
  }
}

const SEVERITIES: Readonly<Record<Severity, readonly [word: string, tone: Tone]>> = {
  [Severity.UNSPECIFIED]: ['unknown', 'plain'],
  [Severity.WELL]: ['well', 'good'],
  [Severity.LOOK]: ['look', 'plain'],
  [Severity.ACT]: ['act', 'warn'],
  [Severity.URGENT]: ['urgent', 'bad'],
}

/** Partners wrote some of the text, such as their names: it is shown as text. */
const sentenceItem = (one: Sentence, now: Date): SafeHtml => {
  const [word, tone] = SEVERITIES[one.severity]
  const details = [
    one.since === undefined ? null : html`Began ${ago(one.since, now)}`,
    one.count === undefined ? null : html`Count ${one.countIsLeast ? 'over ' : ''}${String(one.count)}`,
    one.partnerId === undefined
      ? null
      : link(`/partners/${one.partnerId}`, one.partner ?? String(one.partnerId)),
    one.consolePath === undefined ? null : link(one.consolePath, 'Show it'),
    one.command === undefined ? null : html`<code>${one.command}</code>`,
  ].filter((part) => part !== null)
  return html`<li class="${tone}" data-name="${one.name}">${badge(word, tone)}<div><p>${one.text}</p>${
    details.length === 0
      ? ''
      : html`<p class="details">${details.map((part) => html`<span>${part}</span>`)}</p>`
  }</div></li>`
}
