// Numbers that were given out are never given out again, also when the database is put back to an older copy of itself.
// What has been given out is remembered where the database's copy cannot take it along: in a mark, a small file beside
// the spool, which is on a disk of its own. Each process has its own, so that none waits for another.

/** A number for each sequence, by the sequence's name. */
export type Numbers = Readonly<Record<string, bigint>>

/** Which database it is, and where. */
export type Identity = {
  /** Of the cluster: what `initdb` drew. */
  system: string
  /** Another one after each promotion of a standby and each recovery to a point in time. */
  timeline: string
  /** The oid: another one when the database was made anew. */
  database: string
  /** The token of the present epoch. */
  epoch: string
}

/** What a database says of itself. */
export type Found = {
  identity: Identity
  /** The tokens of all its epochs, the first one first. */
  epochs: readonly string[]
  /** The last number that each sequence gave, 0 for none. */
  numbers: Numbers
  /** False when the payment that was asked for is not there. */
  hasWitness: boolean
  /** The highest id of a payment that is there; when the one that was asked for is not, the highest below it. */
  newestPayment: bigint | null
}

/** Why an operator is to look. */
export type Alarm = {
  /** `older`: a copy of before. `another`: no epoch in common, as of another gateway. */
  kind: 'older' | 'another'
  /** When it was noticed, ISO 8601. */
  at: string
  /** The epoch that the database was in then: it is over when another has begun. */
  epoch: string
  /** What each sequence that fell back had given out, by the database and by the mark. */
  fell: readonly Fall[]
  /** Where payments are missing: above the newest that the copy has, up to where ids went on. */
  missing: { above: bigint; upTo: bigint }
}

export type Fall = { sequence: string; found: bigint; seen: bigint }

/** What outlives the database's copy. */
export type Mark = {
  /** When it was written, ms since 1970: the latest of several says which database it was. */
  writtenAtMs: number
  identity: Identity
  /** The first epoch's token. */
  lineage: string
  /** What each sequence is known to have given out. */
  seen: Numbers
  /** What no sequence has come to yet: raised well before it does, so that whatever was given out is below. */
  ceilings: Numbers
  /** A payment that was committed, the newest one known. */
  newestPayment: bigint | null
  alarm: Alarm | null
}

/** What a database is to a mark. */
export type Verdict =
  | { kind: 'first' }
  | { kind: 'same' }
  /** Another server, timeline or database, with all that is known of: a fail-over, as a rule. */
  | { kind: 'moved' }
  | { kind: Alarm['kind']; fell: Fall[] }

/** By how much a ceiling is raised. What people make by hand is not as many. */
const STEPS: Numbers = { payments_id_seq: 100_000n, deliveries_id_seq: 100_000n, audit_id_seq: 100_000n }
const SMALL_STEP = 1_000n

/** How far above what is known a ceiling is at least: more than all replicas give out until a mark follows. */
export const marginOf = (sequence: string): bigint => (STEPS[sequence] ?? SMALL_STEP) / 2n

/**
 * Judges a database by the mark. `drawn` is what sequences were seen to have given, also if nobody knows yet whether
 * that is durable: after a crash Postgres may give it once more, which is no sign of an older copy.
 */
export const judge = (known: { mark: Mark | null; drawn: Numbers }, found: Found): Verdict => {
  const { mark, drawn } = known
  if (mark === null) return { kind: 'first' }
  const fell = fallsBelow(mark.seen, found.numbers)
  if (found.epochs[0] !== mark.lineage) return { kind: 'another', fell }
  const isEpochKnown = found.epochs.includes(mark.identity.epoch)
  // Somebody has said since that the database was restored: what is missing is known.
  const isNewEpoch = isEpochKnown && found.identity.epoch !== mark.identity.epoch
  if (!isEpochKnown || (!isNewEpoch && (fell.length > 0 || !found.hasWitness))) return { kind: 'older', fell }
  const isElsewhere = !isSamePlace(found.identity, mark.identity)
  return isElsewhere || fallsBelow(drawn, found.numbers).length > 0 ? { kind: 'moved' } : { kind: 'same' }
}

const isSamePlace = (one: Identity, other: Identity): boolean =>
  one.system === other.system && one.timeline === other.timeline && one.database === other.database

/** The sequences that gave less than is known. */
const fallsBelow = (known: Numbers, numbers: Numbers): Fall[] =>
  Object.entries(known)
    .map(([sequence, seen]) => ({ sequence, found: numbers[sequence] ?? 0n, seen }))
    .filter(({ found, seen }) => found < seen)

/** For each sequence what is higher of the two. */
export const highest = (one: Numbers, other: Numbers): Numbers => {
  const numbers: Record<string, bigint> = { ...one }
  for (const [sequence, number] of Object.entries(other)) {
    const known = numbers[sequence]
    if (known === undefined || known < number) numbers[sequence] = number
  }
  return numbers
}

/** The ceilings over what was drawn: left as they are while there is room below. */
export const raiseCeilings = (ceilings: Numbers, drawn: Numbers): Numbers => {
  const raised = Object.entries(drawn)
    .filter(([sequence, number]) => (ceilings[sequence] ?? 0n) < number + marginOf(sequence))
    .map(([sequence, number]) => [sequence, number + 2n * marginOf(sequence)] as const)
  return raised.length === 0 ? ceilings : highest(ceilings, Object.fromEntries(raised))
}

/** From where on a database that is not the one of before may give out numbers, for each of its sequences. */
export const lowestOf = (ceilings: Numbers, found: Numbers): Numbers =>
  Object.fromEntries(
    Object.entries(found).map(([sequence, number]) => {
      const above = number === 0n ? 0n : number + marginOf(sequence)
      const ceiling = ceilings[sequence] ?? 0n
      return [sequence, ceiling > above ? ceiling : above]
    }),
  )

/** One mark of many: what is highest of each, and otherwise what the one says that was written last. */
export const mergeMarks = (marks: readonly Mark[]): Mark | null => {
  const [latest, ...others] = marks.toSorted((one, other) => other.writtenAtMs - one.writtenAtMs)
  return latest === undefined ? null : others.reduce(mergeTwo, latest)
}

const mergeTwo = (latest: Mark, other: Mark): Mark => ({
  ...latest,
  seen: highest(latest.seen, other.seen),
  ceilings: highest(latest.ceilings, other.ceilings),
  alarm: mergeAlarms(latest.alarm, other.alarm),
})

/** The alarm that this verdict raises for operators; `upTo`: where ids of payments go on. */
export const alarmOf = (
  verdict: Verdict,
  found: Found,
  { at, upTo }: { at: Date; upTo: bigint },
): Alarm | null => {
  if (verdict.kind !== 'older' && verdict.kind !== 'another') return null
  const missing = { above: found.newestPayment ?? 0n, upTo }
  return { ...verdict, at: at.toISOString(), epoch: found.identity.epoch, missing }
}

/** An alarm is over when somebody began another epoch after it. */
export const isOver = (alarm: Alarm, found: Found): boolean => alarm.epoch !== found.identity.epoch

/** The first of two, with all that either misses. */
export const mergeAlarms = (one: Alarm | null, other: Alarm | null): Alarm | null => {
  if (one === null || other === null) return one ?? other
  const above = one.missing.above < other.missing.above ? one.missing.above : other.missing.above
  const upTo = one.missing.upTo > other.missing.upTo ? one.missing.upTo : other.missing.upTo
  return { ...one, missing: { above, upTo } }
}
