/**
 * How much a sentence wants of whoever reads it: `well` nothing is wrong · `look` it may mend itself, or can wait for the
 * morning · `act` somebody is to do something · `urgent` now, for money or callbacks may be lost, or nothing moves.
 */
export type Severity = 'well' | 'look' | 'act' | 'urgent'

/** Names of sentences: each means one thing for good, and docs/operations.md has a row for it. */
export const SENTENCE_NAMES = [
  'all_well',
  'account_refused',
  'approvals_waiting',
  'callbacks_late',
  'daraja_holding_off',
  'database_away',
  'database_restored',
  'deliveries_dead',
  'deliveries_held',
  'deliveries_late',
  'endpoint_down',
  'endpoint_paused',
  'findings_open',
  'no_callbacks_since',
  'partner_disabled_with_waiting',
  'payments_overdue',
  'payments_unconfirmed',
  'spool_disk_fills',
  'spool_files_aside',
  'spool_holds_callbacks',
  'submit_late',
  'traffic_late',
] as const

export type SentenceName = (typeof SENTENCE_NAMES)[number]

/** What is so just now, for a person. It is derived anew each time, so it is gone when its cause is. */
export type Sentence = {
  name: SentenceName
  severity: Severity
  /** Since when it is so; null: not known. */
  since: Date | null
  /** How many there are of what it is about; null: it counts nothing. */
  count: number | null
  /** There are more: so many were counted. */
  isMore: boolean
  /** The partner whom it concerns; null: none, or several. */
  partner: { id: bigint; name: string } | null
  /** The endpoint that it concerns. */
  host: string | null
  text: string
  /** What is typed to look closer, or to mend it; null: nothing at this shell. */
  command: string | null
  /** The page of the console that does the same; null: none. */
  path: string | null
}

/** The worst first. */
export const SEVERITIES = ['urgent', 'act', 'look', 'well'] as const satisfies readonly Severity[]

/** A sentence with what it does not say left out; `about`: more of what it says. */
export const sentence = (
  told: Pick<Sentence, 'name' | 'severity' | 'text'> & Partial<Sentence>,
  about: Partial<Sentence> = {},
): Sentence => ({
  since: null,
  count: null,
  isMore: false,
  partner: null,
  host: null,
  command: null,
  path: null,
  ...about,
  ...told,
})

/** The worst first, and of those the longest. */
export const inOrder = (sentences: readonly Sentence[]): Sentence[] =>
  sentences.toSorted(
    (one, other) =>
      SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) ||
      (one.since?.getTime() ?? 0) - (other.since?.getTime() ?? 0),
  )
