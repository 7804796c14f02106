import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { html, type SafeHtml } from '@remix-run/html-template'

/** East Africa Time has no summer: always three hours ahead of UTC. */
const EAST_AFRICA_MS = 3 * 3_600_000

/** An instant, as messages and as the code have it. */
export type Instant = Date | Timestamp | undefined | null

export const toDate = (instant: Exclude<Instant, null | undefined>): Date =>
  instant instanceof Date
    ? instant
    : new Date(Number(instant.seconds) * 1000 + Math.trunc(instant.nanos / 1e6))

/** An instant in UTC and in East Africa Time, to the second. */
export const time = (instant: Instant): SafeHtml => {
  if (!instant) return html`–`
  const utc = toDate(instant)
  return html`<time datetime="${utc.toISOString()}">${textOf(utc)} UTC <span class="east">${eastAfrican(utc)} EAT</span></time>`
}

/** An instant in East Africa Time: `2026-11-25 00:03:07`. */
export const eastAfrican = (instant: Date): string => textOf(new Date(instant.getTime() + EAST_AFRICA_MS))

const textOf = (date: Date): string => date.toISOString().slice(0, 19).replace('T', ' ')

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** How long ago, or how long yet: `3 min ago`, `in 2 h`. */
export const ago = (instant: Instant, now: Date): SafeHtml => {
  if (!instant) return html`–`
  const date = toDate(instant)
  const seconds = Math.round((now.getTime() - date.getTime()) / 1000)
  const text = durationText(Math.abs(seconds))
  const words = seconds >= 0 ? `${text} ago` : `in ${text}`
  return html`<time datetime="${date.toISOString()}" title="${`${textOf(date)} UTC`}">${words}</time>`
}

/** `41 s`, `3 min`, `5 h`, `12 d`: whole units, rounded down. */
export const durationText = (seconds: number): string => {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ['s', 1]
  return `${Math.floor(seconds / size)} ${unit}`
}
