import { statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { showDatabase } from '../../src/cli/readiness.ts'
import { createCallbackMetrics } from '../../src/core/callback/callback-metrics.ts'
import { addOverduePayments, createCoreMetrics } from '../../src/core/metrics.ts'
import { sumTotals } from '../../src/core/totals/sum-totals.ts'
import { showBacklog } from '../../src/dispatcher/backlog.ts'
import { createDispatcherMetrics } from '../../src/dispatcher/metrics.ts'
import { createReporter } from '../../src/dispatcher/report.ts'
import { countErrors } from '../../src/runtime/count-errors.ts'
import { createLog } from '../../src/runtime/log.ts'
import { openTestSpool } from '../support/core.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addDelivery } from '../support/deliveries.ts'
import { openTestFolder } from '../support/folder.ts'
import { quietLog } from '../support/quiet-log.ts'

let open: OpenDatabase
let folder: Awaited<ReturnType<typeof openTestFolder>>
let spool: Awaited<ReturnType<typeof openTestSpool>>
beforeAll(async () => {
  open = await openTestDatabase()
  folder = await openTestFolder()
  spool = await openTestSpool(folder.path)
  await addWork()
})
afterAll(async () => {
  await spool.close()
  await folder.close()
  await open.close()
})

/** One of each thing that a gauge shows, of an age of its own. */
const addWork = async (): Promise<void> => {
  const { database } = open
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'Duka')`.execute(database)
  const due = await addDelivery(database, 'https://due.example/')
  const down = await addDelivery(database, 'https://down.example/')
  const paused = await addDelivery(database, 'https://paused.example/')
  await sql`UPDATE to_deliver SET due_at = now() - interval '300 seconds' WHERE delivery_id = ${due}`.execute(
    database,
  )
  await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id IN (${down}, ${paused})`.execute(database)
  await sql`UPDATE deliveries SET created_at = now() - interval '900 seconds' WHERE id = ${due}`.execute(
    database,
  )
  await sql`UPDATE deliveries SET created_at = now() - interval '700 seconds' WHERE id = ${down}`.execute(
    database,
  )
  await sql`UPDATE deliveries SET created_at = now() - interval '800 seconds' WHERE id = ${paused}`.execute(
    database,
  )
  await sql`INSERT INTO endpoints (partner_id, host, state, open_until, paused_at)
    VALUES (7, 'down.example', 'open', now() + interval '1 hour', NULL), (7, 'paused.example', 'closed', NULL, now())
  `.execute(database)
  await sql`INSERT INTO to_interpret (callback_id, received_at, due_at)
    VALUES (gen_random_uuid(), now(), now() - interval '500 seconds')`.execute(database)
  await sumTotals(database)
  await sql`UPDATE totals_summed SET summed_to = now() - interval '400 seconds'`.execute(database)
  await writeFile(join(folder.path, 'torn.aside'), 'torn')
}

/** What a `serve` and a `dispatch` show whose metrics nobody has read yet. */
const newRegistry = (database = open.database): Registry => {
  const registry = new Registry()
  createCoreMetrics(registry, database)
  addOverduePayments(registry, database, 1_000)
  createCallbackMetrics(registry, spool)
  showBacklog(registry, database)
  showDatabase(registry, database)
  return registry
}

/** The samples of one scrape, by name and labels; ages in whole hundreds of seconds. */
const scrape = async (registry: Registry): Promise<Record<string, number>> => {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('gateway_'))
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(/ (?=[^ ]*$)/)
      return [name, name.includes('_age_seconds') ? Math.floor(Number(value) / 100) * 100 : Number(value)]
    }),
  )
}

describe('a process whose metrics are read for the first time', () => {
  it('shows what is in the database and in the spool now', async () => {
    expect(await scrape(newRegistry())).toMatchObject({
      gateway_oldest_overdue_delivery_age_seconds: 300,
      gateway_oldest_open_delivery_age_seconds: 900,
      'gateway_troubled_endpoints{state="open"}': 1,
      'gateway_troubled_endpoints{state="paused"}': 1,
      'gateway_troubled_endpoints{state="ramping"}': 0,
      'gateway_open_deliveries{due="now"}': 1,
      'gateway_open_deliveries{due="held"}': 2,
      'gateway_open_duties{duty="interpret"}': 1,
      'gateway_oldest_due_duty_age_seconds{duty="interpret"}': 500,
      'gateway_oldest_due_duty_age_seconds{duty="submit"}': 0,
      gateway_totals_age_seconds: 400,
      gateway_spool_files_aside: 1,
      gateway_spooled_callbacks: 0,
      gateway_overdue_payments: 0,
      gateway_database_up: 1,
    })
  })

  it('shows nothing else when they are read again', async () => {
    const registry = newRegistry()
    // Others write to the disk meanwhile.
    const once = { ...(await scrape(registry)), gateway_spool_free_bytes: expect.any(Number) }
    expect(await scrape(registry)).toEqual(once)
  })

  it('shows how long deliveries have been held, and for what', async () => {
    expect(await scrape(newRegistry())).toMatchObject({
      'gateway_held_deliveries{reason="down"}': 1,
      'gateway_held_deliveries{reason="paused"}': 1,
      'gateway_held_deliveries{reason="probing"}': 0,
      'gateway_held_deliveries{reason="ramping"}': 0,
      'gateway_oldest_held_delivery_age_seconds{reason="down"}': 700,
      'gateway_oldest_held_delivery_age_seconds{reason="paused"}': 800,
      'gateway_oldest_held_delivery_age_seconds{reason="ramping"}': 0,
    })
  })

  it('names the endpoints whose deliveries are held longest', async () => {
    const [down, paused] = ['down', 'paused'].map(
      (reason) =>
        `gateway_endpoint_held_age_seconds{partner_id="7",partner="Duka",host="${reason}.example",reason="${reason}"}`,
    )
    expect(await scrape(newRegistry())).toMatchObject({ [`${down}`]: 700, [`${paused}`]: 800 })
  })

  it('shows how much room the disk of the spool has', async () => {
    const { gateway_spool_free_bytes: free } = await scrape(newRegistry())
    const { bavail, bsize } = await statfs(folder.path)
    expect(Math.abs((free ?? 0) / (bavail * bsize) - 1)).toBeLessThan(0.5)
  })
})

describe('a process that has counted nothing yet', () => {
  it('shows 0 for what is alerted on, so that the first time is a growth as well', async () => {
    const registry = newRegistry()
    createReporter({ registry, log: quietLog })
    createDispatcherMetrics(registry)
    expect(await scrape(registry)).toMatchObject({
      'gateway_payment_requests_total{result="overloaded"}': 0,
      'gateway_pushes_total{outcome="refused"}': 0,
      'gateway_callbacks_total{token="known"}': 0,
      'gateway_callbacks_refused_total{kept="yes"}': 0,
      'gateway_payments_settled_total{outcome="failed",cause="submit_deadline_passed"}': 0,
      'gateway_payments_failed_total{reason="insufficient_funds"}': 0,
      'gateway_payment_findings_total{kind="different_receipt"}': 0,
      'gateway_delivery_signals_total{signal="dead"}': 0,
      'gateway_endpoint_changes_total{to="open"}': 0,
      'gateway_delivery_attempts_total{outcome="retry",error_class="tls"}': 0,
    })
  })

  it('counts each line of the log at error or fatal, by its event', async () => {
    const registry = new Registry()
    const log = createLog({
      name: 'test',
      level: 'info',
      to: { write: () => undefined },
      onLine: countErrors(registry),
    })
    log.info({ event: 'ready', level: 'error' })
    log.error({ event: 'spool_refuses' })
    log.child({ part: 'x' }).error({ event: 'spool_refuses' })
    log.fatal({ event: 'defect' }, 'with "event":"another" in its text')
    log.error('without an event')
    expect(await scrape(registry)).toEqual({
      'gateway_log_errors_total{level="error",event="spool_refuses"}': 2,
      'gateway_log_errors_total{level="fatal",event="defect"}': 1,
      'gateway_log_errors_total{level="error",event="none"}': 1,
    })
  })
})

describe('while Postgres is away', () => {
  it('nothing that it is asked for has a value, and what it is not asked for has one', async () => {
    const away = await openTestDatabase()
    const registry = newRegistry(away.database)
    expect(await scrape(registry)).toHaveProperty('gateway_overdue_payments', 0)
    await away.close()
    const samples = await scrape(registry)
    expect(Object.keys(samples)).toEqual(
      expect.arrayContaining(['gateway_spool_files_aside', 'gateway_spooled_callbacks']),
    )
    expect(samples).toHaveProperty('gateway_database_up', 0)
    const askedOfPostgres = /overdue|_age_seconds|duties|troubled|open_deliveries|held_deliveries/
    expect(Object.keys(samples).filter((name) => askedOfPostgres.test(name))).toEqual([])
  })
})
