import type { ConsoleClients } from '../clients.ts'
import { Refusal } from '../refusal.ts'
import { type Meant, understand } from './understand.ts'

// Whoever pastes a payer's number must not find it in an address, a log or a history of a browser. So what is pasted is
// posted, and the list that it leads to names a payment that has it: `/payments?payer_of=17` is "those of the payer of
// payment 17". That needs no secret and no memory, holds in every process, and ends by itself when the number is erased.
// References go the same way, for some partners use numbers as references.

/** Where a pasted text leads: to the one payment that it means, or to a list; null: nothing is known by it. */
export const findPasted = async (
  payments: ConsoleClients['payments'],
  pasted: string,
): Promise<string | null> => {
  for (const meant of understand(pasted)) {
    for (const test of [false, true]) {
      const found = await findMeant(payments, meant, test)
      if (found !== null) return found
    }
  }
  return null
}

const findMeant = async (
  payments: ConsoleClients['payments'],
  meant: Meant,
  test: boolean,
): Promise<string | null> => {
  if (meant.kind === 'payment') {
    return !test && (await isThere(payments, meant.paymentId)) ? `/payments/${meant.paymentId}` : null
  }
  const { kind, ...field } = meant
  const { payments: found } = await payments
    .findPayments({ query: { ...field, test, pageSize: 2 } })
    .catch(nothingFor)
  const [first, second] = found
  if (first === undefined) return null
  if (second === undefined) return `/payments/${first.paymentId}`
  const same = kind === 'payer' ? 'payer_of' : 'reference_of'
  return `/payments?${same}=${first.paymentId}${test ? '&test=on' : ''}`
}

const isThere = (payments: ConsoleClients['payments'], paymentId: bigint): Promise<boolean> =>
  payments.getPaymentHistory({ paymentId }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Refusal && error.kind === 'not_found') return false
      throw error
    },
  )

/** What cannot be a reference or a key is none. */
const nothingFor = (error: unknown): { payments: [] } => {
  if (error instanceof Refusal && error.kind === 'wrong_field') return { payments: [] }
  throw error
}
