import type { Alarm } from '../../database/mark/mark.ts'
import { textOfAlarm } from '../../database/mark/report-alarm.ts'
import { begun, countOf, instantOf, lengthOf, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

// What Postgres does not know, but the machine whose SPOOL_DIR it is.

/** What a spool holds: callbacks to be replayed, and quarantined files; and the room on its disk. */
export type SpoolFacts = { callbacks: number; quarantined: number; freeBytes: number }

/** What a machine knows by itself. */
export type ProcessFacts = {
  /** What the spool of this machine holds; null: it cannot be read from here. */
  spool: SpoolFacts | null
  /** Why the database is not the one of before; null: it is. */
  alarm: Pick<Alarm, 'kind' | 'at'> | null
}

/** Since when Postgres is away, null: not known; and why. Null: it answers, and takes writes. */
export type Away = { since: Date | null; trouble: string } | null

/** Pure. */
export const tellProcess = ({ spool, alarm }: ProcessFacts, away: Away, now: Date): Sentence[] => [
  ...(away === null ? [] : [tellAway(away, now)]),
  ...(alarm === null ? [] : [tellAlarm(alarm, now)]),
  ...(spool === null ? [] : tellSpool(spool)),
]

const tellAway = ({ since, trouble }: Exclude<Away, null>, now: Date): Sentence =>
  sentence({
    name: 'database_away',
    severity: 'urgent',
    since,
    text: `Postgres is away${since === null ? '' : ` for ${lengthOf(since, now)}`} (${trouble}): no payment can be asked for, and callbacks go to the spool.`,
  })

const tellAlarm = (alarm: Exclude<ProcessFacts['alarm'], null>, now: Date): Sentence => {
  const since = new Date(alarm.at)
  return sentence({
    name: 'database_restored',
    severity: 'urgent',
    since,
    text: `${begun(textOfAlarm(alarm))} (noticed ${instantOf(since, now)}).`,
    command: 'gateway restored',
  })
}

/** Less room than this on its disk is told, bytes: about 100,000 callbacks. GatewaySpoolDiskFills has the same. */
const LITTLE_ROOM_BYTES = 100e6

const tellSpool = ({ callbacks, quarantined, freeBytes }: SpoolFacts): Sentence[] => {
  const many = { count: callbacks, isMore: false }
  const aside = { count: quarantined, isMore: false }
  return [
    ...(freeBytes < LITTLE_ROOM_BYTES ? [tellDisk(freeBytes)] : []),
    ...(callbacks === 0
      ? []
      : [
          sentence(
            {
              name: 'spool_holds_callbacks',
              severity: 'act',
              text: `The spool of this machine holds ${countOf(many, 'callback')} that ${verb(many, 'is', 'are')} not in Postgres yet: ${verb(many, 'it follows', 'they follow')} once it is back, so do not delete SPOOL_DIR.`,
            },
            many,
          ),
        ]),
    ...(quarantined === 0
      ? []
      : [
          sentence(
            {
              name: 'spool_files_aside',
              severity: 'act',
              text: `${begun(countOf(aside, 'file'))} of the spool of this machine ${verb(aside, 'ends', 'end')} in .aside, and no replay can use ${verb(aside, 'it', 'them')}: read ${verb(aside, 'it', 'them')}, and settle by M-PESA’s statement.`,
            },
            aside,
          ),
        ]),
  ]
}

const tellDisk = (freeBytes: number): Sentence =>
  sentence({
    name: 'spool_disk_fills',
    severity: 'urgent',
    text: `The disk of the spool of this machine has ${Math.floor(freeBytes / 1e6)} MB left: callbacks that come while Postgres is away are lost once it is full. Make room, and delete nothing in SPOOL_DIR.`,
    command: 'df -h "$SPOOL_DIR"',
  })
