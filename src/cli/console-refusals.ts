import { ConnectError } from '@connectrpc/connect'
import { Refusal } from '../console/refusal.ts'
import { Refused } from '../core/services/refused.ts'
import { DatabaseUnavailable, isOutage } from '../database/outage.ts'

/** Throws what a page of the console can show; a defect stays what it is. */
export const refuse = (error: unknown): never => {
  if (error instanceof Refused) {
    const field = error.wrong?.field
    throw new Refusal(error.kind, error.message, { cause: error, ...(field !== undefined && { field }) })
  }
  if (error instanceof ConnectError) throw new Refusal('not_possible', error.rawMessage, { cause: error })
  if (error instanceof DatabaseUnavailable || isOutage(error))
    throw new Refusal('unavailable', 'The database does not answer. Try again in a moment.', { cause: error })
  throw error
}

/** The same functions, whose outages are the console's refusals. */
export const refusingOutages = <Functions extends Record<string, (...given: never[]) => Promise<unknown>>>(
  functions: Functions,
): Functions => {
  const refusing = Object.entries(functions).map(([name, call]) => [
    name,
    (...given: never[]) => call(...given).catch(refuse),
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each function under its own name
  return Object.fromEntries(refusing) as Functions
}
