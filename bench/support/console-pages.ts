import { sql } from 'kysely'
import type { GrownDatabase } from './grown-database.ts'

/** A page of the console: the route that answers it, and the addresses at which it is asked for. */
export type ConsolePage = { route: string; what: string; paths: string[] }

/** A payment that is there, with what a page may be asked about it. */
type Drawn = { id: bigint; delivery_id: bigint; partner_id: bigint; minute: string; day: string }

/** How many payments addresses are made of. */
const DRAWN = 40

/** Every page on which an operator looks at payments, deliveries, partners and traffic, with the filters of its form. */
export const consolePages = async (grown: GrownDatabase): Promise<ConsolePage[]> => {
  const drawn = await drawPayments(grown)
  const page = (route: string, what: string, pathOf: (one: Drawn) => string): ConsolePage => ({
    route,
    what,
    paths: drawn.map(pathOf),
  })
  return [
    page('/', 'now', () => '/'),
    page('/payments', 'newest', () => '/payments'),
    page('/payments', 'further on', ({ id }) => `/payments?before=${id}`),
    page('/payments', 'of a partner', ({ partner_id }) => `/payments?partner=${partner_id}`),
    page('/payments', 'in a state that many have', () => '/payments?state=successful'),
    page('/payments', 'in a state that none has', () => '/payments?state=failed'),
    page('/payments', 'of a payer', ({ id }) => `/payments?payer_of=${id}`),
    page('/payments', 'of a reference', ({ id }) => `/payments?reference_of=${id}`),
    page('/payments', 'since a time', ({ minute }) => `/payments?since=${minute}`),
    page('/payments', 'not delivered', () => '/payments?told=no'),
    page('/payments', 'test payments', () => '/payments?test=on'),
    page('/payments/:id', 'one', ({ id }) => `/payments/${id}`),
    page('/payments/:id/settle', 'one', ({ id }) => `/payments/${id}/settle`),
    page('/payments/:id/erase', 'one', ({ id }) => `/payments/${id}/erase`),
    page('/exceptions', 'all', () => '/exceptions'),
    page('/deliveries', 'newest', () => '/deliveries'),
    page('/deliveries', 'in a state that many have', () => '/deliveries?state=delivered'),
    page('/deliveries', 'dead', () => '/deliveries?state=dead'),
    page('/deliveries', 'of a partner', ({ partner_id }) => `/deliveries?partner=${partner_id}`),
    page('/deliveries', 'to a host that none has', () => '/deliveries?host=shop.example'),
    page('/deliveries/:id', 'one', ({ delivery_id }) => `/deliveries/${delivery_id}`),
    page('/deliveries/endpoints', 'in trouble', () => '/deliveries/endpoints'),
    page('/partners', 'all', () => '/partners'),
    page('/partners/:id', 'one', ({ partner_id }) => `/partners/${partner_id}`),
    page('/traffic', 'an hour', () => '/traffic?last=hour'),
    page('/traffic', 'a day', () => '/traffic?last=day'),
    page('/traffic', 'a week', () => '/traffic?last=week'),
    page('/traffic', 'a week of a partner', ({ partner_id }) => `/traffic?last=week&partner=${partner_id}`),
    page('/statements', 'all', () => '/statements'),
    page('/statements/totals', 'a day', ({ day }) => `/statements/totals?from=${day}&to=${day}&by=partner`),
    page('/statement-exceptions', 'all', () => '/statement-exceptions'),
    page('/approvals', 'all', () => '/approvals'),
    page('/operators', 'all', () => '/operators'),
    page('/me', 'own', () => '/me'),
    page('/keys', 'all', () => '/keys'),
  ]
}

const drawPayments = async ({ database }: GrownDatabase): Promise<Drawn[]> => {
  const { rows } = await sql<Drawn>`
    SELECT found.*
    FROM generate_series(1, ${DRAWN}::integer) AS number
    CROSS JOIN (SELECT max(id) AS last FROM payments) AS ids
    CROSS JOIN LATERAL (
      SELECT payments.id, deliveries.id AS delivery_id, payments.partner_id,
             to_char(payments.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI') AS minute,
             to_char(payments.created_at AT TIME ZONE 'Africa/Nairobi', 'YYYY-MM-DD') AS day
      FROM payments JOIN deliveries ON deliveries.payment_id = payments.id
      WHERE payments.id > (random() * 0.95 * last)::bigint + 0 * number ORDER BY payments.id LIMIT 1
    ) AS found
  `.execute(database)
  return rows
}
