import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** A page of the console: the route that answers it, and the addresses at which it is asked for. */
export type ConsolePage = { route: string; what: string; paths: string[] }

/** A payment that is there, with what a page may be asked about it. */
type Drawn = {
  id: bigint
  delivery_id: bigint
  partner_id: bigint
  minute: string
  day: string
  year: string
}

/** Pages that show nothing of the database: who is not signed in sees them, or programs do. */
export const PAGES_WITHOUT_DATA = ['/healthz', '/readyz', '/sign-in', '/sign-in/link'] as const

/** Every page that an operator looks at, with the filters of its form, of which some lead to nothing. */
export const consolePages = async ({
  database,
  statementId,
  draws,
}: {
  database: Database
  /** A statement that is there. */
  statementId: bigint
  /** How many payments addresses are made of. */
  draws: number
}): Promise<ConsolePage[]> => {
  const drawn = await drawPayments(database, draws)
  const page: MakePage = (route, what, pathOf) => ({ route, what, paths: drawn.map(pathOf) })
  return [...paymentPages(page), ...deliveryPages(page), ...otherPages(page, statementId)]
}

type MakePage = (route: string, what: string, pathOf: (one: Drawn) => string) => ConsolePage

const paymentPages = (page: MakePage): ConsolePage[] => [
  page('/', 'now', () => '/'),
  page('/payments', 'newest', () => '/payments'),
  page('/payments', 'further on', ({ id }) => `/payments?before=${id}`),
  page('/payments', 'of a partner', ({ partner_id }) => `/payments?partner=${partner_id}`),
  page('/payments', 'in a state that many have', () => '/payments?state=successful'),
  page('/payments', 'in a state that none has', () => '/payments?state=failed'),
  page(
    '/payments',
    'of a partner in a state that none has',
    ({ partner_id }) => `/payments?partner=${partner_id}&state=failed`,
  ),
  page('/payments', 'in a state that is open', () => '/payments?state=unconfirmed'),
  page('/payments', 'of a payer', ({ id }) => `/payments?payer_of=${id}`),
  page('/payments', 'of a reference', ({ id }) => `/payments?reference_of=${id}`),
  page(
    '/payments',
    'of a reference in a state that none has',
    ({ id }) => `/payments?reference_of=${id}&state=failed`,
  ),
  page('/payments', 'since a time', ({ minute }) => `/payments?since=${minute}`),
  page('/payments', 'not delivered', () => '/payments?told=no'),
  page('/payments', 'test payments', () => '/payments?test=on'),
  page('/payments/:id', 'one', ({ id }) => `/payments/${id}`),
  page('/payments/:id/settle', 'one', ({ id }) => `/payments/${id}/settle`),
  page('/payments/:id/erase', 'one', ({ id }) => `/payments/${id}/erase`),
  page('/exceptions', 'all', () => '/exceptions'),
]

const deliveryPages = (page: MakePage): ConsolePage[] => [
  page('/deliveries', 'newest', () => '/deliveries'),
  page('/deliveries', 'in a state that many have', () => '/deliveries?state=delivered'),
  page('/deliveries', 'delivered with an error, as none is', () => '/deliveries?state=delivered&error=dns'),
  page('/deliveries', 'dead', () => '/deliveries?state=dead'),
  page('/deliveries', 'until a time', ({ minute }) => `/deliveries?until=${minute}`),
  page('/deliveries', 'of a partner', ({ partner_id }) => `/deliveries?partner=${partner_id}`),
  page('/deliveries', 'to a host that none has', () => '/deliveries?host=shop.example'),
  page(
    '/deliveries',
    'of a partner, to a host that none has',
    ({ partner_id }) => `/deliveries?partner=${partner_id}&host=shop.example`,
  ),
  page('/deliveries/all/retry', 'dead', () => '/deliveries/all/retry?state=dead'),
  page('/deliveries/all/retry/done', 'dead', () => '/deliveries/all/retry/done?state=dead'),
  page('/deliveries/all/cancel', 'pending', () => '/deliveries/all/cancel?state=pending'),
  page('/deliveries/all/cancel/done', 'pending', () => '/deliveries/all/cancel/done?state=pending'),
  page('/deliveries/:id', 'one', ({ delivery_id }) => `/deliveries/${delivery_id}`),
  page('/deliveries/endpoints', 'in trouble', () => '/deliveries/endpoints'),
  page(
    '/deliveries/endpoint',
    'that nothing was sent to',
    ({ partner_id }) => `/deliveries/endpoint?partner=${partner_id}&host=shop.example`,
  ),
]

const otherPages = (page: MakePage, statementId: bigint): ConsolePage[] => [
  page('/partners', 'all', () => '/partners'),
  page('/partners/accounts', 'all', () => '/partners/accounts'),
  page('/partners/:id', 'one', ({ partner_id }) => `/partners/${partner_id}`),
  page('/traffic', 'an hour', () => '/traffic?last=hour'),
  page('/traffic', 'a day', () => '/traffic?last=day'),
  page('/traffic', 'a week', () => '/traffic?last=week'),
  page('/traffic', 'a week of a partner', ({ partner_id }) => `/traffic?last=week&partner=${partner_id}`),
  page('/statements', 'all', () => '/statements'),
  page('/statements/:id', 'one', () => `/statements/${statementId}`),
  page('/statements/totals', 'a month', () => '/statements/totals'),
  page('/statements/totals', 'a day', ({ day }) => `/statements/totals?from=${day}&to=${day}&by=partner`),
  page(
    '/statements/totals',
    'a year by account',
    ({ year, day }) => `/statements/totals?from=${year}&to=${day}&by=account`,
  ),
  page('/statement-exceptions', 'all', () => '/statement-exceptions'),
  page(
    '/statement-exceptions',
    'open, of a kind that none has',
    () => '/statement-exceptions?open=yes&kind=reversed',
  ),
  page('/approvals', 'all', () => '/approvals'),
  page('/operators', 'all', () => '/operators'),
  page('/me', 'own', () => '/me'),
  page('/keys', 'all', () => '/keys'),
]

const drawPayments = async (database: Database, draws: number): Promise<Drawn[]> => {
  const { rows } = await sql<Drawn>`
    SELECT found.*
    FROM generate_series(1, ${draws}::integer) AS number
    CROSS JOIN (SELECT max(id) AS last FROM payments) AS ids
    CROSS JOIN LATERAL (
      SELECT payments.id, deliveries.id AS delivery_id, payments.partner_id,
             to_char(payments.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI') AS minute,
             to_char(payments.created_at AT TIME ZONE 'Africa/Nairobi', 'YYYY-MM-DD') AS day,
             to_char(payments.created_at AT TIME ZONE 'Africa/Nairobi' - interval '365 days', 'YYYY-MM-DD') AS year
      FROM payments JOIN deliveries ON deliveries.payment_id = payments.id
      WHERE payments.id > (random() * 0.95 * last)::bigint + 0 * number ORDER BY payments.id LIMIT 1
    ) AS found
  `.execute(database)
  return rows
}
