import { type RawBuilder, sql } from 'kysely'
import type { SentenceName } from '../../src/core/situation/sentence.ts'

/** How a sentence comes about: by rows that say so; `null`: by what no row says, and so it leads to no page. */
export type Kind = readonly RawBuilder<unknown>[] | null

// The rows of one kind are not in the way of another's: each has ids, partners and hosts of its own.

const addEndpoint = (host: string, columns: string, values: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  INSERT INTO endpoints (partner_id, host, changed_at, ${sql.raw(columns)})
  VALUES (7, ${host}, now() - interval '1 hour', ${values})
`

const addDuty = (partnerId: number, host: string, isHeld: boolean): RawBuilder<unknown> => sql`
  INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, held_at)
  SELECT coalesce(max(delivery_id), 0) + 1, ${partnerId}, ${host}, now() - interval '1 hour',
         CASE WHEN ${isHeld}::boolean THEN now() END
  FROM to_deliver
`

const addPayment = (id: number, state: string): RawBuilder<unknown> => sql`
  UPDATE payments SET partner_id = 7, state = ${sql.lit(state)}::payment_state, created_at = now() - interval '1 hour'
  WHERE id = ${id}
`

const hold = (shortcode: string, code: string): RawBuilder<unknown> => sql`
  INSERT INTO daraja_accounts (shortcode, held_until, held_since, held_code)
  VALUES (${shortcode}, now() + interval '1 minute', now() - interval '5 minutes', ${code})
`

const prompted = sql`
  INSERT INTO traffic_counts (partner_id, span, at, measure, count)
  VALUES (0, 'minute', now() - interval '10 minutes', 'prompted', 7)
`

/**
 * Every kind of sentence: a new one says here how it comes about. Before them there are the partners 7 and 8, who is
 * disabled, payments 1 to 5 of partner 7 that are not due, and accounts of partner 7: 900, whose shortcode is 600900, and
 * 901.
 */
export const KINDS: Readonly<Record<SentenceName, Kind>> = {
  // Only where there is no other.
  all_well: null,
  // What a machine knows, and a page of another cannot show more of.
  database_away: null,
  database_restored: null,
  spool_disk_fills: null,
  spool_files_aside: null,
  spool_holds_callbacks: null,
  account_refused: [hold('600900', '400.008.01')],
  approvals_waiting: [
    sql`INSERT INTO approvals (kind, payment_id, parameters, asked_by) VALUES ('erase_payer', 1, '{}', 'amina')`,
  ],
  callbacks_late: [
    sql`
      INSERT INTO to_interpret (callback_id, received_at, due_at)
      VALUES (gen_random_uuid(), now(), now() - interval '1 hour')
    `,
  ],
  daraja_holding_off: [hold('600123', '500.003.02')],
  deliveries_dead: [
    sql`INSERT INTO dead_letters (delivery_id, partner_id, host, reason) VALUES (900, 7, 'dead.example', 'over')`,
  ],
  deliveries_held: [addEndpoint('back.example', 'state', sql`'ramping'`), addDuty(7, 'back.example', true)],
  deliveries_late: [addDuty(7, 'late.example', false)],
  endpoint_down: [
    addEndpoint('down.example', 'state', sql`'open'`),
    addDuty(7, 'down.example', true),
    // More than have a sentence of their own.
    sql`
      INSERT INTO endpoints (partner_id, host, state)
      SELECT 7, 'down-' || number || '.example', 'open' FROM generate_series(1, 12) number
    `,
  ],
  endpoint_paused: [
    addEndpoint('paused.example', 'paused_at, paused_by', sql`now() - interval '1 hour', 'amina'`),
  ],
  findings_open: [
    sql`INSERT INTO payment_findings (payment_id, kind, detail) VALUES (2, 'different_amount', '')`,
  ],
  no_callbacks_since: [prompted],
  partner_disabled_with_waiting: [addDuty(8, 'closed.example', true)],
  payments_overdue: [
    addPayment(3, 'submitted'),
    sql`INSERT INTO to_query (payment_id, due_at) VALUES (3, now() + interval '1 hour')`,
  ],
  payments_unconfirmed: [addPayment(4, 'unconfirmed'), sql`INSERT INTO to_confirm (payment_id) VALUES (4)`],
  submit_late: [
    sql`UPDATE to_submit SET account_id = 901, due_at = now() - interval '1 hour' WHERE payment_id = 5`,
  ],
  traffic_late: [sql`UPDATE traffic_counted SET events_at = now() - interval '1 hour'`],
}
