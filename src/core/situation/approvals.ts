import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { PATHS } from './links.ts'
import { begun, counted, countOf, instantOf, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

// Changes that one operator asked for and another has not decided yet.

/** So many are looked up at most: each is a look at its payment. */
const MOST_LOOKED_UP = 50

/** How many wait, one more than are counted at most; since when the oldest does, and until when. */
export type ApprovalFacts = { waiting: number; since: Date | null; until: Date | null }

/** Each waits equally long, so the one that ends first is the oldest. */
export const readApprovals = async (transaction: Transaction<Schema>): Promise<ApprovalFacts> => {
  const { rows } = await sql<ApprovalFacts>`
    SELECT count(*)::integer AS waiting, min(asked_at) AS since, min(expires_at) AS until FROM (
      SELECT payment_id, asked_at, expires_at FROM approvals
      WHERE decision IS NULL AND expires_at > now()
      ORDER BY expires_at LIMIT ${MOST_LOOKED_UP + 1}
    ) few
    CROSS JOIN LATERAL (SELECT partner_id FROM payments WHERE id = few.payment_id OFFSET 0) payment
    WHERE partner_id > 0
  `.execute(transaction)
  return rows[0] ?? { waiting: 0, since: null, until: null }
}

/** Pure. */
export const tellApprovals = ({ waiting, since, until }: ApprovalFacts, now: Date): Sentence[] => {
  if (since === null || until === null) return []
  const many = counted(waiting, MOST_LOOKED_UP)
  const isHalfOver = now.getTime() - since.getTime() > until.getTime() - now.getTime()
  const which = verb(many, '', 'the oldest ')
  return [
    sentence(
      {
        name: 'approvals_waiting',
        severity: isHalfOver ? 'act' : 'look',
        since,
        text: `${begun(countOf(many, 'change'))} ${verb(many, 'waits', 'wait')} for another operator: ${which}since ${instantOf(since, now)}, until ${instantOf(until, now)}.`,
        command: 'gateway approvals list',
        path: PATHS.approvals,
      },
      many,
    ),
  ]
}
