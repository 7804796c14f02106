import { html, type SafeHtml } from '@remix-run/html-template'
import { durationText, type Instant, toDate } from '../page/time.ts'

/** A value of a chart at its time; null: there is none. */
export type ChartPoint = { readonly at: Instant; readonly value: number | null }

/** What a chart shows. */
export type Chart = {
  /** A name of its own on the page. */
  readonly id: string
  readonly title: string
  /** How its values are said: `12`, `350 ms`. */
  readonly say: (value: number) => string
  /** Oldest first. */
  readonly points: readonly ChartPoint[]
  readonly stepSeconds: number
  /** What the title says of all points together. */
  readonly total: string
}

/** So many units high is the highest bar, and so many wide is the place of each. */
const HEIGHT = 100
const STEP = 10
const BAR = 8

/** Bars over time, drawn here: the page needs no script for them, and whoever sees none reads title and description. */
export const chart = (one: Chart): SafeHtml => {
  const most = Math.max(0, ...one.points.map(({ value }) => value ?? 0))
  const width = Math.max(1, one.points.length) * STEP
  const step = durationText(one.stepSeconds)
  const shown = most === 0 ? 'nothing' : `at most ${one.say(most)} in ${step}`
  const [first, last] = [one.points[0], one.points.at(-1)].map((point) => clockOf(point?.at))
  return html`<figure class="chart"><figcaption><strong>${one.title}</strong> ${one.total}</figcaption>
<svg viewBox="${`0 0 ${width} ${HEIGHT}`}" preserveAspectRatio="none" role="img" aria-labelledby="${`${one.id}-title ${one.id}-desc`}"><title id="${one.id}-title">${one.title}</title><desc id="${one.id}-desc">${`Every ${step} from ${first} to ${last} UTC: ${shown}.`}</desc>${one.points.map(
    (point, index) => bar(point, { index, most, say: one.say }),
  )}</svg>
<small>${`${first} to ${last} UTC, ${shown}`}</small></figure>`
}

const bar = (
  { at, value }: ChartPoint,
  { index, most, say }: { index: number; most: number; say: Chart['say'] },
): SafeHtml | string => {
  if (value === null || value === 0) return ''
  const height = Math.max(1, Math.round((value / most) * HEIGHT))
  return html`<rect x="${index * STEP + (STEP - BAR) / 2}" y="${HEIGHT - height}" width="${BAR}" height="${height}"><title>${`${clockOf(at)} UTC: ${say(value)}`}</title></rect>`
}

const clockOf = (at: Instant): string => (at ? toDate(at).toISOString().slice(5, 16).replace('T', ' ') : '–')
