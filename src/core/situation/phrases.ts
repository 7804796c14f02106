// Parts of sentences.

/** What was counted, and whether there are more than that. */
export type Counted = { count: number; isMore: boolean }

/** So many rows are counted at most of each thing: a look at the situation is to be quick however much is wrong. */
export const MOST_COUNTED = 500

/** `rows` of a statement that reads one more than are counted. */
export const counted = (rows: number, most: number = MOST_COUNTED): Counted => ({
  count: Math.min(rows, most),
  isMore: rows > most,
})

/** `1 payment`, `41 payments`, `more than 500 payments`. */
export const countOf = ({ count, isMore }: Counted, one: string, many = `${one}s`): string =>
  `${isMore ? 'more than ' : ''}${count.toLocaleString('en')} ${count === 1 && !isMore ? one : many}`

/** An instant as a sentence has it, UTC: with the day unless that is today. */
export const instantOf = (instant: Date, now: Date): string => {
  const [day = '', time = ''] = instant.toISOString().split('T')
  const isToday = day === now.toISOString().slice(0, 10)
  return `${isToday ? '' : `${day} `}${time.slice(0, 5)} UTC`
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** How long ago it was: `3 minutes`, `2 hours`; the largest unit alone. */
export const lengthOf = (since: Date, now: Date): string => {
  const ms = Math.max(1_000, now.getTime() - since.getTime())
  const [unit, unitMs] = UNITS.find(([, length]) => ms >= length) ?? ['second', 1_000]
  const count = Math.floor(ms / unitMs)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** `waits` of one, `wait` of several. */
export const verb = ({ count, isMore }: Counted, one: string, many: string): string =>
  count === 1 && !isMore ? one : many

/** The first letter as a sentence begins. */
export const begun = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** What an endpoint does that does not take a delivery, by the status or the class of error of the last attempt. */
export const answerOf = (last: { status: number | null; errorClass: string | null }): string => {
  if (last.status !== null) return `answers ${last.status}`
  return ANSWERS[last.errorClass ?? ''] ?? 'takes no delivery'
}

const ANSWERS: Readonly<Record<string, string>> = {
  dns: 'has a name that leads to no address',
  refused: 'takes no connection',
  unreachable: 'cannot be reached',
  reset: 'breaks the connection',
  tls: 'has no certificate that is trusted',
  timeout: 'does not answer in time',
  protocol: 'does not speak HTTP',
  too_large: 'answers more than is read',
  redirect: 'answers with a redirect',
  blocked: 'has an address that may not be called',
  not_signed: 'is sent nothing, for the signing secret of the partner cannot be opened',
}
