import { parseId } from '../../values/ids.ts'
import { Refusal } from '../refusal.ts'
import type { Call } from '../route.ts'

/** Cents as an amount of KES: `1,500`, and cents only where there are any. */
export const centsText = (cents: bigint): string => {
  const amount = Number(cents) / 100
  return amount.toLocaleString('en-US', { minimumFractionDigits: Number.isInteger(amount) ? 0 : 2 })
}

/** The id that the path names. Throws `Refusal` for none. */
export const readIdOf = ({ params }: Pick<Call, 'params'>): bigint => {
  const id = parseId(params['id'] ?? '')
  if (id === null) throw new Refusal('not_found', 'There is no such page.')
  return id
}

/** An id in the address; undefined when there is none, or it is none. */
export const readCursor = ({ query }: Pick<Call, 'query'>, name: string): bigint | undefined =>
  parseId(query.get(name) ?? '') ?? undefined
