import { toAccountReference } from '../../src/core/daraja/stk-push.ts'
import type { Database } from '../../src/database/connect.ts'
import { type OutsideWorld, type Prompted, paymentOf } from '../support/outside-world.ts'
import { type Delivery, type Payment, paidTwice, strayMoves, undelivered } from './ledgers.ts'
import type { PartnerClient } from './partner-client.ts'

/** What a fail-over to an older copy has lost, by the ledgers outside the system, and what went wrong beyond that. */
export type AfterLoss = {
  answered: number
  prompted: number
  /** What keys were answered with that the copy does not have: ids by key. A key that was repeated later has two. */
  lost: { key: string; id: number }[]
  /** Payments whose payers were prompted again, for the copy did not know of the first time. */
  promptedAgain: string[]
  /** Payments of which only an operator or M-PESA's records can tell what became. */
  unconfirmed: number
  delivered: number
  problems: string[]
}

type Outcome = { checkout_request_id: string | null; mpesa_receipt: string | null }

/**
 * Compares, once all is quiet, what the client, Daraja and the partner's endpoint saw with what the copy holds. Commits may be
 * missing there, and so payments, pushes and callbacks: that is the loss. What may not be: an id that was given out twice, a
 * payment that has the outcome of another, or one that is there and has none.
 */
export const compareAfterLoss = async (parts: {
  database: Database
  client: PartnerClient
  world: OutsideWorld
}): Promise<AfterLoss> => {
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
  return {
    answered: client.answered.size,
    prompted: prompts.length,
    lost,
    promptedAgain: promptedAgain(prompts),
    unconfirmed: payments.filter(({ state }) => state === 'unconfirmed').length,
    delivered: new Set(received.map(({ headers }) => headers['webhook-id'])).size,
    problems: [
      ...client.complaints.filter((complaint) => !ANSWERED_ANEW.test(complaint)),
      ...paidTwice(payments),
      ...givenTwice(lost, payments),
      ...(await strayMoves(database)),
      ...stillOpen(payments),
      ...undelivered({ payments, deliveries, received }),
      ...ofAnother({ payments, deliveries, prompts }),
    ],
  }
}

/** A key that the copy does not know is a new payment when it is repeated. */
const ANSWERED_ANEW = /^(\S+) is (\d+) and \d+$/

const lostPayments = (client: PartnerClient, payments: readonly Payment[]): AfterLoss['lost'] => {
  const kept = new Set(payments.map(({ id, reference }) => `${id} ${reference}`))
  const answered = [...client.answered].map(([key, id]) => ({ key, id }))
  const before = client.complaints.flatMap((complaint) => {
    const [, key = '', id] = ANSWERED_ANEW.exec(complaint) ?? []
    return id === undefined ? [] : [{ key, id: Number(id) }]
  })
  return [...answered, ...before].filter(({ key, id }) => !kept.has(`${id} ${key}`))
}

const promptedAgain = (prompts: readonly Prompted[]): string[] => {
  const seen = new Set<string>()
  return prompts.map((one) => one.account_reference).filter((one) => seen.has(one) || !seen.add(one))
}

/** No payment has an id that somebody else was answered with. */
const givenTwice = (lost: AfterLoss['lost'], payments: readonly Payment[]): string[] => {
  const there = new Map(payments.map(({ id, reference }) => [Number(id), reference]))
  return lost
    .filter(({ id }) => there.has(id))
    .map(({ key, id }) => `${id} was answered for ${key}, and was given to ${there.get(id)} again`)
}

const stillOpen = (payments: readonly Payment[]): string[] =>
  payments
    .filter(({ state }) => !['successful', 'failed', 'unconfirmed'].includes(state))
    .map(({ id, state }) => `${id} stays ${state}`)

/** What is delivered of a payment is of a prompt that was made for it: its receipt, and Daraja's id. */
const ofAnother = (parts: {
  payments: readonly Payment[]
  deliveries: readonly Delivery[]
  prompts: readonly Prompted[]
}): string[] => {
  const references = new Map(
    parts.payments.map(({ id, reference }) => [id, toAccountReference(reference, id)]),
  )
  const byReceipt = new Map(
    parts.prompts.flatMap((one) => one.transactions.map(({ receipt }) => [receipt, one] as const)),
  )
  const byId = new Map(parts.prompts.map((one) => [one.checkout_request_id, one]))
  return parts.deliveries.flatMap(({ payment_id: id, body }) => {
    const outcome = JSON.parse(body) as Outcome
    const prompts = [
      ...(outcome.mpesa_receipt === null ? [] : [byReceipt.get(outcome.mpesa_receipt)]),
      ...(outcome.checkout_request_id === null ? [] : [byId.get(outcome.checkout_request_id)]),
    ]
    return prompts
      .filter(
        (one) =>
          one?.account_reference !== references.get(id) || paymentOf(one?.callback_url ?? '') !== Number(id),
      )
      .map((one) => `${id} (${references.get(id)}) got the outcome of ${one?.account_reference}`)
  })
}
