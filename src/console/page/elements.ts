import { html, type SafeHtml } from '@remix-run/html-template'
import { toVisibleLines } from '../../values/visible-text.ts'
import type { Page } from './page.ts'

/** What may stand in a place of a page: text is escaped, and never obeyed. */
export type Content = SafeHtml | string | number | null

/** How something is meant: in order, to be watched, wrong, or neither. */
export type Tone = 'good' | 'warn' | 'bad' | 'plain'

/** A word on a coloured ground: a state. The word says it, the colour only helps. */
export const badge = (text: string, tone: Tone): SafeHtml =>
  html`<span class="${`badge ${tone}`}">${text}</span>`

/** A sentence about what happened, or what is to be known first. */
export const notice = (tone: Tone, content: Content): SafeHtml =>
  html`<p class="${`notice ${tone}`}" role="${tone === 'bad' ? 'alert' : 'status'}">${content}</p>`

/** A part of a page under a heading of its own. `live`: a name, for a part that is brought up to date by itself. */
export const section = (title: string, body: Content, options: { live?: string } = {}): SafeHtml => {
  const id = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  const content = html`<h2 id="${id}">${title}</h2>${body}`
  return options.live === undefined
    ? html`<section aria-labelledby="${id}">${content}</section>`
    : html`<section aria-labelledby="${id}" data-live="${options.live}">${content}</section>`
}

/** Names and values, one below the other. */
export const facts = (rows: readonly (readonly [string, Content])[]): SafeHtml =>
  html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? '–'}</dd></div>`)}</dl>`

/** A link within the console. */
export const link = (address: string, content: Content): SafeHtml => html`<a href="${address}">${content}</a>`

/** Text that others wrote (an endpoint's answer, a partner's name) in its own box, its control characters shown. */
export const foreignText = (text: string): SafeHtml =>
  html`<pre class="foreign" tabindex="0">${toVisibleLines(text)}</pre>`

/** A page that only says something. */
export const messagePage = (options: { status: number; title: string; sentence: string }): Page => ({
  title: options.title,
  status: options.status,
  body: html`<p>${options.sentence}</p><p>${link('/', 'To the first page')}</p>`,
})

/** The page of an action that was refused: nothing was changed. */
export const refusedPage = (sentence: string, back: string): Page => ({
  title: 'Not done',
  body: html`${notice('bad', `Nothing was changed: ${sentence}`)}<p>${link(back, 'Back')}</p>`,
})
