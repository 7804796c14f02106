import { runRows } from '../../database/run-rows.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { type Acceptance, type AcceptItem, type AcceptOptions, acceptBatch } from './accept.ts'
import { acceptLimited } from './accept-limited.ts'
import type { LimitReached } from './payer-limits.ts'

export type Acceptor = Batcher<AcceptItem, Acceptance | LimitReached>

/**
 * Makes payments durable, many in one commit: `add` resolves after the commit (law 1). The same idempotency key, within one
 * batch, across batches and across processes, makes one payment (law 2); the loser of a race waits on the index for the
 * winner and is answered with its payment. Requests that have limits to keep go beside the others, in a transaction that
 * counts them.
 */
export const createAcceptor = (options: AcceptOptions): Acceptor =>
  createBatcher({
    maxItems: 500,
    // Measured at 64 callers: one batch of 60 carries a tenth more than two of 30 beside each other.
    maxRunning: 1,
    maxWaiting: 10_000,
    run: (items) => runBoth(options, items),
  })

const runBoth = async (
  options: AcceptOptions,
  items: readonly AcceptItem[],
): Promise<(Acceptance | LimitReached | Error)[]> => {
  const plain = items.filter(({ limits }) => limits === undefined)
  if (plain.length === items.length) {
    return runRows(items, (rows) => acceptBatch({ ...options, items: rows }))
  }
  const limited = items.filter(({ limits }) => limits !== undefined)
  const [ofPlain, ofLimited] = await Promise.all([
    runRows(plain, (rows) => acceptBatch({ ...options, items: rows })),
    runRows(limited, (rows) => acceptLimited({ ...options, items: rows })),
  ])
  const results = new Map<AcceptItem, Acceptance | LimitReached | Error>()
  for (const [index, item] of plain.entries()) results.set(item, ofPlain[index] ?? lost())
  for (const [index, item] of limited.entries()) results.set(item, ofLimited[index] ?? lost())
  return items.map((item) => results.get(item) ?? lost())
}

const lost = (): Error => new Error('a request was lost on its way through a batch')
