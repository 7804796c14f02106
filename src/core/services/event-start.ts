import type { ConnectError } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type { WatchPaymentsRequest } from '../../gen/mpesa/gateway/v1/payment_events_pb.js'
import { partnerIdOf } from '../../values/test-partner.ts'
import type { EventFilter } from '../events/catch-up.ts'
import { BEGINNING, type EventKey, type Lineage, lineageOf, parseCursor } from '../events/cursor.ts'
import { hasEvent, readFirstEpoch, readNewestKey } from '../events/read-events.ts'
import { findPayment } from '../payments/find.ts'
import type { Reader } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField } from './errors.ts'
import { failure } from './failure.ts'

/** From where and whose events are wanted. */
type Wanted = Pick<WatchPaymentsRequest, 'after' | 'fromOldest' | 'partnerId' | 'paymentId'>

export type Started = {
  filter: EventFilter
  after: EventKey
  /** True: nothing was said, so it is from now on. */
  isNow: boolean
  /** What cursors are rendered with. */
  lineage: Lineage
}

/** Reads where a caller wants to begin. Throws INVALID_ARGUMENT and NOT_FOUND as the contract says. */
export type EventStart = (wanted: Wanted, reader: Reader) => Promise<Started>

export const createEventStart = (parts: {
  database: Database
  checks: Pick<CallerChecks, 'checkPartner'>
}): EventStart => {
  const { database } = parts
  let known: Lineage | null = null
  const readLineage = async (): Promise<Lineage> => {
    known ??= lineageOf(await readFirstEpoch(database))
    return known
  }
  return async (wanted, reader) => {
    if (wanted.after !== '' && wanted.fromOldest) {
      throw invalidField('from_oldest', 'must be unset where after is set')
    }
    for (const field of ['partnerId', 'paymentId'] as const) {
      const id = wanted[field]
      if (id !== undefined && id < 1n) throw invalidField(FIELD_NAMES[field], 'must be a positive id')
    }
    const lineage = await readLineage()
    const filter = await readFilter(parts, wanted, reader)
    if (wanted.after !== '') {
      return { filter, lineage, after: await readCursor(database, wanted.after, lineage), isNow: false }
    }
    if (wanted.fromOldest) return { filter, lineage, after: BEGINNING, isNow: false }
    return { filter, lineage, after: await readNewestKey(database), isNow: true }
  }
}

const FIELD_NAMES = { partnerId: 'partner_id', paymentId: 'payment_id' }

const readCursor = async (database: Database, text: string, lineage: Lineage): Promise<EventKey> => {
  const parsed = parseCursor(text, lineage)
  if (!parsed.ok) throw invalidField('after', parsed.problem)
  if (await hasEvent(database, parsed.value)) return parsed.value
  throw invalidField(
    'after',
    'must stand at an event that is kept: this one is older, or was lost when the database was put back to a copy from before it; begin anew, from now on or from_oldest',
  )
}

const readFilter = async (
  { database, checks }: { database: Database; checks: Pick<CallerChecks, 'checkPartner'> },
  { partnerId, paymentId }: Wanted,
  reader: Reader,
): Promise<EventFilter> => {
  const own = reader === 'anybody' ? null : reader.partnerId
  if (partnerId !== undefined) {
    const isOther = own !== null && partnerIdOf(own) !== partnerId
    if (isOther || (await checks.checkPartner(partnerId)).kind === 'unknown') throw noSuch('partner')
  }
  const owner = own ?? partnerId
  if (paymentId === undefined) return owner === undefined ? null : { partnerId: owner }
  const payment = await findPayment(
    database,
    owner === undefined ? 'anybody' : { partnerId: owner },
    paymentId,
  )
  if (!payment) throw noSuch('payment')
  return { paymentId }
}

const noSuch = (what: 'payment' | 'partner'): ConnectError => failure('NOT_FOUND', `there is no such ${what}`)
