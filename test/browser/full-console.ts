import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { createKey } from '../../src/core/partners/api-key.ts'
import type { TestConsole } from '../console/harness.ts'
import { importFile, putPayment, statementOf } from '../core/statements/importing.ts'
import { testActor } from '../support/actor.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched } from '../support/payments.ts'

/** As long as a name of a host or a reference gets in practice, without a place to break it. */
const LONG_HOST = 'callbacks-of-the-shop-by-the-road.payments.shop-of-wanjiku.example'

/**
 * Fills a console with one of each thing that its pages show. Resolves with the pages that can be come to then, by id
 * and by filter, beside those of the navigation.
 */
export const fillConsole = async (test: TestConsole): Promise<string[]> => {
  const { database } = test
  const { partnerId } = await addPartner(database, { name: 'Duka la Wanjiku na Wenzake wa Barabara ya Pili' })
  const key = { name: 'till', lifeMs: null, isTest: true, actor: testActor, randomBytes }
  await createKey({ database, partnerId, ...key })
  const unconfirmed = await addUnconfirmed(test, partnerId)
  await addWaiting(test, unconfirmed)
  const deliveryId = await addHeldAndDead(test, partnerId)
  await addPaused(test, partnerId)
  await addTraffic(test)
  await putPayment(database, { state: 'failed', at: '2026-11-25T09:00:00Z', partnerId })
  const at = '2026-11-25T09:00:20Z'
  await importFile(database, statementOf([{ receipt: 'TKP0000002', at, account: 'rent of November' }]))
  const endpoint = `partner=${partnerId}&host=${LONG_HOST}`
  return [
    `/payments?state=unconfirmed`,
    `/payments/${unconfirmed}`,
    `/payments/${unconfirmed}/settle`,
    `/payments/${unconfirmed}/erase`,
    `/deliveries?state=dead`,
    `/deliveries/${deliveryId}`,
    '/deliveries/all/retry?state=dead',
    '/deliveries/all/retry/done?state=dead&count=1',
    '/deliveries/all/cancel?state=held',
    '/deliveries/all/cancel/done?state=held&count=2',
    '/deliveries/endpoints',
    `/deliveries/endpoint?${endpoint}`,
    `/deliveries/endpoint?partner=${partnerId}&host=paused.example`,
    `/partners/${partnerId}`,
    '/partners/accounts',
    '/traffic?last=hour',
    '/traffic?last=week',
    '/statements/1',
    '/statements/totals',
    '/statement-exceptions',
  ]
}

/** A payment of an hour ago of which nobody knows whether its payer paid, and which has a finding. */
const addUnconfirmed = async ({ database }: TestConsole, partnerId: bigint): Promise<bigint> => {
  const id = await acceptUntouched(database, partnerId)
  await sql`
    UPDATE payments SET state = 'unconfirmed', created_at = now() - interval '1 hour',
      reference = 'INV-2026-11-0000000000000000000000000001'
    WHERE id = ${id}
  `.execute(database)
  await sql`DELETE FROM to_submit WHERE payment_id = ${id}`.execute(database)
  await sql`INSERT INTO to_confirm (payment_id) VALUES (${id})`.execute(database)
  await database
    .insertInto('payment_findings')
    .values({ payment_id: id, kind: 'not_proven', detail: 'the callback has another amount: 15' })
    .execute()
  return id
}

/** What two other operators asked for about the payment: they wait for whoever may decide. */
const addWaiting = async ({ database }: TestConsole, paymentId: bigint): Promise<void> => {
  const parameters = {
    outcome: 'successful',
    receipt: 'TKP0000001',
    reason: `on the statement, see INV-2026-11-0000000000000000000000000001 and ${LONG_HOST}`,
    anyway: false,
  }
  await sql`
    INSERT INTO approvals (kind, payment_id, parameters, asked_by) VALUES
      ('settle_payment', ${paymentId}, ${JSON.stringify(parameters)}, 'Wanjiku wa Mwangi'),
      ('erase_payer', ${paymentId}, '{}', 'amina')
  `.execute(database)
}

/** An endpoint that is down, with what is held for it, and a delivery that is dead: its id. */
const addHeldAndDead = async ({ database }: TestConsole, partnerId: bigint): Promise<bigint> => {
  const urls = Array.from({ length: 3 }, () => `https://${LONG_HOST}/told`)
  const [dead = 0n] = await addDeliveries(database, urls, partnerId)
  await sql`DELETE FROM to_deliver WHERE delivery_id = ${dead}`.execute(database)
  await sql`UPDATE deliveries SET state = 'dead', next_attempt_at = NULL, ended_at = now() WHERE id = ${dead}`.execute(
    database,
  )
  await sql`
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    VALUES (${dead}, ${partnerId}, ${LONG_HOST}, 'status', 'the last attempt failed')
  `.execute(database)
  await sql`UPDATE to_deliver SET held_at = now()`.execute(database)
  await sql`
    INSERT INTO endpoints (partner_id, host, state, opens, failures, open_until)
    VALUES (${partnerId}, ${LONG_HOST}, 'open', 1, 5, now() + interval '4 minutes')
  `.execute(database)
  return dead
}

/** An endpoint that somebody paused, with what is held for it. */
const addPaused = async ({ database }: TestConsole, partnerId: bigint): Promise<void> => {
  const [held = 0n] = await addDeliveries(database, ['https://paused.example/told'], partnerId)
  await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${held}`.execute(database)
  await sql`
    INSERT INTO endpoints (partner_id, host, paused_at, paused_by)
    VALUES (${partnerId}, 'paused.example', now(), 'Wanjiku wa Mwangi')
  `.execute(database)
}

const addTraffic = async ({ database }: TestConsole): Promise<void> => {
  await sql`
    INSERT INTO traffic_counted (begun_at, events_to, events_at, attempts_to)
    VALUES (now() - interval '20 days', 1, now(), now())
  `.execute(database)
  await sql`
    INSERT INTO traffic_counts (partner_id, span, at, measure, label, count)
    SELECT 0, span, date_bin(step, now(), 'epoch') - step * ago, measure, label, 20 + ago
    FROM (VALUES ('minute', interval '1 minute'), ('quarter', interval '15 minutes'), ('hour', interval '1 hour'))
           AS spans (span, step),
         (VALUES ('accepted', ''), ('prompted', ''), ('paid', ''), ('failed', '1032'), ('failed', '2001'),
                 ('delivered', ''), ('told_within', '40')) AS measures (measure, label),
         generate_series(0, 5) AS ago
  `.execute(database)
}
