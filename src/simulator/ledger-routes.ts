import type { FastifyInstance } from 'fastify'
import { type Ledger, outcomeName, type PostedCallback, type Prompt, type Transaction } from './ledger.ts'

const callbackView = (callback: PostedCallback): Record<string, unknown> => ({
  posted_at: callback.postedAt.toISOString(),
  result_code: callback.resultCode,
  status: callback.status,
  error: callback.error,
  answered_at: callback.answeredAt?.toISOString() ?? null,
  body: callback.body,
})

const transactionView = (transaction: Transaction): Record<string, unknown> => ({
  receipt: transaction.receipt,
  amount: transaction.amountKes,
  at: transaction.paidAt.toISOString(),
})

const promptView = (prompt: Prompt): Record<string, unknown> => ({
  checkout_request_id: prompt.checkoutRequestId,
  merchant_request_id: prompt.merchantRequestId,
  shortcode: prompt.shortcode,
  phone: prompt.phone,
  amount: prompt.amountKes,
  account_reference: prompt.accountReference,
  callback_url: prompt.callbackUrl,
  outcome: outcomeName(prompt),
  warnings: prompt.warnings,
  at: prompt.promptedAt.toISOString(),
  queries: prompt.queries,
  transactions: prompt.transactions.map(transactionView),
  callbacks: prompt.callbacks.map(callbackView),
})

const countByCallbackUrl = (prompts: Prompt[]): Record<string, number> => {
  const counts = new Map<string, number>()
  for (const { callbackUrl } of prompts) counts.set(callbackUrl, (counts.get(callbackUrl) ?? 0) + 1)
  return Object.fromEntries(counts)
}

/**
 * `GET /_ledger`: totals of everything, and the prompts, all or those whose `callback_url` or `phone` is exactly the one
 * asked for. A payment's callback URL is its own, so `prompts_by_callback_url` counts the prompts of each payment.
 * `DELETE /_ledger`: forgets all; what is already under way still comes to its end.
 */
export const registerLedgerRoutes = (server: FastifyInstance, options: { ledger: Ledger }): void => {
  const { ledger } = options

  server.get<{ Querystring: { callback_url?: string; phone?: string } }>('/_ledger', (request, reply) => {
    const { callback_url: callbackUrl, phone } = request.query
    const prompts = ledger
      .prompts()
      .filter((prompt) => callbackUrl === undefined || prompt.callbackUrl === callbackUrl)
      .filter((prompt) => phone === undefined || prompt.phone === phone)
    const totals = ledger.totals()
    return reply.send({
      pushes: totals.pushes,
      refused: totals.refused,
      prompts: totals.prompts,
      forgotten: ledger.forgotten(),
      queries: totals.queries,
      callbacks_posted: totals.callbacksPosted,
      callbacks_failed: totals.callbacksFailed,
      misbehaviours: ledger.misbehaviours(),
      prompts_by_callback_url: countByCallbackUrl(prompts),
      entries: prompts.map(promptView),
    })
  })

  server.delete('/_ledger', (_request, reply) => {
    ledger.clear()
    return reply.code(204).send()
  })
}
