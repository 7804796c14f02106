import { html, type SafeHtml } from '@remix-run/html-template'
import { PRINT_STYLE, SCRIPT, STYLE } from '../assets/assets.ts'
import type { SignedIn } from '../sign-ins.ts'
import { time } from './time.ts'

/** The groups of pages, as the navigation lists them; the digit is the key that leads there. */
export const GROUPS = [
  { path: '/', name: 'Now' },
  { path: '/payments', name: 'Payments' },
  { path: '/exceptions', name: 'Exceptions' },
  { path: '/deliveries', name: 'Deliveries' },
  { path: '/partners', name: 'Partners' },
  { path: '/traffic', name: 'Traffic' },
  { path: '/statements', name: 'Statements' },
  { path: '/approvals', name: 'Approvals' },
  { path: '/operators', name: 'Operators' },
] as const

/** The groups of pages whose address does not begin with their group's. */
const ELSEWHERE: Readonly<Record<string, string>> = { '/statement-exceptions': '/statements' }

/** What stands around every page. */
export const renderLayout = (content: {
  title: string
  notice: SafeHtml | null
  body: SafeHtml
  liveSeconds: number | null
  /** Path and query of this page. */
  address: string
  operator: SignedIn | null
  now: Date
}): string => {
  const { title, notice, body, address, operator } = content
  const live =
    content.liveSeconds === null || operator === null ? null : liveBar(content.liveSeconds, content)
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · M-PESA gateway</title>
<link rel="icon" href="${STYLE.icon}">
<link rel="stylesheet" href="${STYLE.path}">
<link rel="stylesheet" href="${PRINT_STYLE.path}" media="print">
<script src="${SCRIPT.path}" defer></script></head>
<body><a class="skip" href="#content">To the content</a>
<header>${operator === null ? html`<strong class="name">M-PESA gateway</strong>` : html`${navigation(address, operator)}${person(operator)}`}</header>
<main id="content" tabindex="-1">${notice}<div class="head"><h1>${title}</h1>${live}</div>${body}</main></body></html>
`.toString()
}

const navigation = (address: string, operator: SignedIn): SafeHtml => {
  const path = address.split('?', 1)[0] ?? '/'
  const isCurrent = (group: string): boolean =>
    group === '/' ? path === '/' : path === group || path.startsWith(`${group}/`) || ELSEWHERE[path] === group
  return html`<nav aria-label="Console">${GROUPS.map(({ path, name }, index) => {
    const content = path === '/approvals' ? html`${name}${toDecide(operator)}` : name
    return isCurrent(path)
      ? html`<a href="${path}" accesskey="${index + 1}" aria-current="page">${content}</a>`
      : html`<a href="${path}" accesskey="${index + 1}">${content}</a>`
  })}</nav>`
}

/** How many changes wait for this operator; it stays up to date where a page does. */
const toDecide = ({ toDecide: count }: SignedIn): SafeHtml =>
  html`<span data-live="to-decide">${
    count === 0
      ? ''
      : html` <span class="badge warn">${count}<span class="unseen"> ${count === 1 ? 'waits' : 'wait'} for you</span></span>`
  }</span>`

const person = ({ name, role }: SignedIn): SafeHtml =>
  html`<div class="person"><a href="/me" accesskey="m">${name} <small>${role}</small></a><a href="/keys" accesskey="k">Keys</a><form method="post" action="/sign-out"><button class="quiet">Sign out</button></form></div>`

/** When the page is from, and how it is brought up to date: by itself until that is paused, or by a link. */
const liveBar = (seconds: number, { address, now }: { address: string; now: Date }): SafeHtml => {
  const url = new URL(address, 'http://console')
  const isPaused = url.searchParams.get('live') === 'off'
  const here = `${url.pathname}${url.search}`
  if (isPaused) url.searchParams.delete('live')
  else url.searchParams.set('live', 'off')
  const other = `${url.pathname}${url.search}`
  return html`<div class="live" data-live-seconds="${isPaused ? '' : seconds}"><span data-live="as-of">As of ${time(now)}</span>
<a href="${here}" accesskey="r">Refresh</a>
<a href="${other}" accesskey="p">${isPaused ? `Refresh by itself` : html`Pause<span class="scripted">, else every ${seconds} s</span>`}</a></div>`
}
