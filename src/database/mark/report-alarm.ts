import type { Log } from '../../runtime/log.ts'
import type { Alarm } from './mark.ts'

/** What is wrong, and what to do, for a person. */
export const textOfAlarm = ({ kind }: Pick<Alarm, 'kind'>): string =>
  kind === 'older'
    ? 'the database is older than what was given out: was it restored from a copy? Run gateway restored'
    : 'the database is not the one of before: is DATABASE_URL or SPOOL_DIR wrong? If not, run gateway restored'

/** What each sequence that fell back has, and had. */
export const fallsOf = ({ fell }: Alarm): Record<string, string> =>
  Object.fromEntries(fell.map(({ sequence, found, seen }) => [sequence, `${found} of ${seen}`]))

/** Says in the log when an alarm begins, and when it is over; once each. */
export const reportAlarm = (log: Log): ((alarm: Alarm | null) => void) => {
  let reported: string | null = null
  return (alarm) => {
    if (reported === (alarm?.at ?? null)) return
    reported = alarm?.at ?? null
    if (alarm === null) return log.info({ event: 'database_restored_known' })
    const { above, upTo } = alarm.missing
    const missing = `above ${above} up to ${upTo}`
    const event = alarm.kind === 'older' ? { event: 'database_older' } : { event: 'database_another' }
    const fields = { noticed_at: alarm.at, payments_missing: missing, fell: fallsOf(alarm) }
    const line = { ...event, help: textOfAlarm(alarm), ...fields }
    log.error(line)
  }
}
