import { sql } from 'kysely'
import { ARROWS } from '../../src/core/payments/states.ts'
import type { Database } from '../../src/database/connect.ts'
import { type OutsideWorld, type Prompted, paymentOf } from '../support/outside-world.ts'
import type { Received } from '../support/receiver.ts'
import type { PartnerClient } from './partner-client.ts'
import { wrongTotals } from './totals.ts'

/** The ledgers outside the system beside what Postgres says, as numbers; `problems` names every broken law. */
export type Comparison = {
  answered: number
  prompted: number
  delivered: number
  unconfirmed: number
  lost: number
  promptedTwice: number
  duplicatesDelivered: number
  problems: string[]
}

export type Payment = {
  id: bigint
  reference: string | null
  state: string
  msisdn: string
  amount_kes: number
}
export type Delivery = {
  payment_id: bigint
  webhook_id: string
  body: string
  state: string
  attempts: number
}

/** Compares, once all is quiet, what the client, Daraja and the partner's endpoint saw with what Postgres holds. */
export const compareLedgers = async (parts: {
  database: Database
  client: PartnerClient
  world: OutsideWorld
}): Promise<Comparison> => {
  const { database, client, world } = parts
  const payments = await database
    .selectFrom('payments')
    .select(['id', 'reference', 'state', 'msisdn', 'amount_kes'])
    .execute()
  const deliveries = await database
    .selectFrom('deliveries')
    .select(['payment_id', 'webhook_id', 'body', 'state', 'attempts'])
    .execute()
  const prompts = await world.prompts()
  const { received } = world.receiver
  const lost = lostPayments(client, payments)
  const promptedTwice = [...countsOf(prompts.map((one) => paymentOf(one.callback_url)))]
    .filter(([, count]) => count > 1)
    .map(([id, count]) => `law 2: payment ${id} was prompted ${count} times`)
  return {
    answered: client.answered.size,
    prompted: prompts.length,
    delivered: new Set(received.map(webhookIdOf)).size,
    unconfirmed: payments.filter(({ state }) => state === 'unconfirmed').length,
    lost: lost.length,
    promptedTwice: promptedTwice.length,
    duplicatesDelivered: received.length - new Set(received.map(webhookIdOf)).size,
    problems: [
      ...client.complaints.map((complaint) => `law 1: ${complaint}`),
      ...lost,
      ...paidTwice(payments),
      ...promptedTwice,
      ...(await forgottenCallbacks(database, prompts)),
      ...(await strayMoves(database)),
      ...unsettled(payments, prompts),
      ...undelivered({ payments, deliveries, received }),
      ...deliveredDifferently(deliveries, received),
      ...(await wrongTotals(database)),
    ],
  }
}

const countsOf = <Key>(keys: readonly Key[]): Map<Key, number> => {
  const counts = new Map<Key, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

const webhookIdOf = (received: Received): string => received.headers['webhook-id'] ?? ''

/** Law 1: what was answered exists, as it was asked for. */
const lostPayments = (client: PartnerClient, payments: readonly Payment[]): string[] => {
  const byId = new Map(payments.map((payment) => [Number(payment.id), payment]))
  return client.wishes.flatMap((wish) => {
    const id = client.answered.get(wish.key)
    if (id === undefined) return [`law 1: ${wish.key} was never answered`]
    const payment = byId.get(id)
    const isThere =
      payment?.reference === wish.key &&
      payment.msisdn === wish.phone &&
      payment.amount_kes === wish.amountKes
    return isThere
      ? []
      : [`law 1: ${wish.key} was answered with ${id}, which is not there as it was asked for`]
  })
}

/** Law 2: one payment a key, however often it was asked for. The reference is the key. */
export const paidTwice = (payments: readonly Payment[]): string[] =>
  [...countsOf(payments.map(({ reference }) => reference))]
    .filter(([, count]) => count > 1)
    .map(([reference, count]) => `law 2: ${reference} has ${count} payments`)

/** Law 3: every callback that was acknowledged is there, to the byte. */
const forgottenCallbacks = async (database: Database, prompts: readonly Prompted[]): Promise<string[]> => {
  const stored = await database.selectFrom('callbacks').select(['payment_id', 'body']).execute()
  const kept = new Set(stored.map(({ payment_id: id, body }) => `${id} ${body.toString('utf8')}`))
  return prompts.flatMap((prompt) =>
    prompt.callbacks
      .filter(({ status, body }) => status === 200 && !kept.has(`${paymentOf(prompt.callback_url)} ${body}`))
      .map(() => `law 3: an acknowledged callback of ${paymentOf(prompt.callback_url)} is not there`),
  )
}

/** Law 4: the moves of each payment make one way from `accepted` to its state, along the arrows. */
export const strayMoves = async (database: Database): Promise<string[]> => {
  const { rows } = await sql<{ payment_id: bigint; state: string; moves: string[] }>`
    SELECT payments.id AS payment_id, payments.state::text,
           coalesce(array_agg(from_state || ' ' || to_state) FILTER (WHERE from_state IS NOT NULL), '{}') AS moves
    FROM payments LEFT JOIN payment_history ON payment_history.payment_id = payments.id
    GROUP BY payments.id, payments.state
  `.execute(database)
  return rows.flatMap(({ payment_id: id, state, moves }) => {
    const arrows: Record<string, readonly string[]> = ARROWS
    const stray = moves.filter(
      (move) => !arrows[move.split(' ')[0] ?? '']?.includes(move.split(' ')[1] ?? ''),
    )
    const ends = countsOf(moves.map((move) => move.split(' ')[1]))
    const starts = countsOf(moves.map((move) => move.split(' ')[0]))
    const isWay = [...new Set(['accepted', state, ...ends.keys(), ...starts.keys()])].every((one) => {
      const surplus = (ends.get(one) ?? 0) - (starts.get(one) ?? 0)
      return surplus === Number(one === state) - Number(one === 'accepted')
    })
    return stray.length === 0 && isWay ? [] : [`law 4: ${id} is ${state} after ${moves.join(', ')}`]
  })
}

/** Nothing stays open but what is honestly unknown: nobody can settle a payment whose payer was asked, with no answer. */
const unsettled = (payments: readonly Payment[], prompts: readonly Prompted[]): string[] => {
  const settleable = new Set(
    prompts
      .filter((prompt) => prompt.callbacks.some(({ status }) => status === 200))
      .map((prompt) => paymentOf(prompt.callback_url)),
  )
  return payments.flatMap(({ id, state }) => {
    if (state === 'successful' || state === 'failed') return []
    if (state === 'unconfirmed' && !settleable.has(Number(id))) return []
    return [`${id} stays ${state}`]
  })
}

/** Laws 5 and 6: every outcome has its delivery, and every delivery arrived. */
export const undelivered = (parts: {
  payments: readonly Payment[]
  deliveries: readonly Delivery[]
  received: readonly Received[]
}): string[] => {
  const ids = countsOf(parts.deliveries.map(({ webhook_id: id }) => id))
  const arrived = new Set(parts.received.map(webhookIdOf))
  const without = parts.payments
    .filter(({ state }) => state === 'successful' || state === 'failed')
    .filter(({ id, state }) => ids.get(`msg_${id}_${state}`) !== 1)
    .map(({ id, state }) => `law 5: ${id} is ${state} with ${ids.get(`msg_${id}_${state}`) ?? 0} deliveries`)
  const lost = parts.deliveries
    .filter(({ webhook_id: id, state }) => state !== 'delivered' || !arrived.has(id))
    .map(
      ({ webhook_id: id, state }) => `law 6: ${id} is ${state}, and ${arrived.has(id) ? '' : 'not '}arrived`,
    )
  return [...without, ...lost]
}

/** Law 6: under one `webhook-id` always the same bytes, and only what Postgres knows. */
const deliveredDifferently = (deliveries: readonly Delivery[], received: readonly Received[]): string[] => {
  const bodies = new Map(deliveries.map(({ webhook_id: id, body }) => [id, body]))
  return received
    .filter((one) => bodies.get(webhookIdOf(one)) !== one.body)
    .map((one) => `law 6: ${webhookIdOf(one)} was delivered as ${one.body}`)
}
