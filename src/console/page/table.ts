import { html, type SafeHtml } from '@remix-run/html-template'
import type { Content } from './elements.ts'

/** A column: its heading, and what a row has in it. */
export type Column<Row> = {
  readonly head: string
  readonly cell: (row: Row) => Content
  /** Numbers stand at the right; a column of words is never narrower than most words are. */
  readonly kind?: 'number' | 'words'
}

/**
 * A list. Where there is little room each row becomes a block, its headings beside its cells. `none` is what is said
 * of an empty one.
 */
export const table = <Row>(options: {
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  none: string
}): SafeHtml => {
  const { caption, columns, rows, none } = options
  if (rows.length === 0) return html`<p class="none">${none}</p>`
  return html`<table><caption>${caption}</caption>
<thead><tr>${columns.map(({ head, kind }) => html`<th scope="col" class="${kind ?? ''}">${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => cell(column, row))}</tr>`)}</tbody></table>`
}

const cell = <Row>({ head, kind, cell }: Column<Row>, row: Row): SafeHtml =>
  html`<td class="${kind ?? ''}" data-head="${head}"><div>${cell(row) ?? '–'}</div></td>`

/** The address of the same page with other filters: null takes one away. */
export const withQuery = (
  { path, query }: { path: string; query: URLSearchParams },
  changes: Readonly<Record<string, string | null>>,
): string => {
  const changed = new URLSearchParams(query)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name)
    else changed.set(name, value)
  }
  const text = changed.toString()
  return text === '' ? path : `${path}?${text}`
}

/**
 * The links below a list that is read by keyset: back to its beginning, on to what comes after, and the whole of it as
 * CSV. `cursor` is the parameter that says where a page begins, `next` its value for the next one, null on the last.
 * `cut`: what was looked through so far, where a page that is not full ends before all was.
 */
export const pager = (
  call: { path: string; query: URLSearchParams },
  options: { cursor: string; next: string | null; csv?: boolean; cut?: string | null },
): SafeHtml => {
  const { cursor, next, csv = false, cut = null } = options
  return html`${cut === null ? '' : html`<p class="none">${cut}</p>`}<nav class="pager" aria-label="Pages of the list">${
    call.query.has(cursor) ? html`<a href="${withQuery(call, { [cursor]: null })}">First page</a>` : ''
  }${next === null ? '' : html`<a rel="next" href="${withQuery(call, { [cursor]: next })}" accesskey="n">${cut === null ? 'Next page' : 'Look further back'}</a>`}${
    csv ? html`<a href="${withQuery(call, { [cursor]: null, format: 'csv' })}" download>CSV</a>` : ''
  }</nav>`
}
