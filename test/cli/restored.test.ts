import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { type NumberGuard, openNumberGuard } from '../../src/database/mark/number-guard.ts'
import { openDeliveryQueue } from '../../src/queue/delivery-queue.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { openTestSpool } from '../support/core.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { keepCopy, putBack } from '../support/database-copies.ts'
import { eventually } from '../support/eventually.ts'
import { acceptPayments } from '../support/payments.ts'
import { quietLog } from '../support/quiet-log.ts'
import { createTestStream } from '../support/streams.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

const stream = createTestStream()
let own: TestDatabase
let folder: string
/** Where another machine keeps its marks. */
let elsewhere: string
let database: Database
/** Ids that a partner was answered with, and that the copy does not have. */
let lost: bigint[]

const environment = () => ({
  DATABASE_URL: own.url,
  SPOOL_DIR: folder,
  NATS_URL: stream.natsUrl,
  NATS_STREAM: stream.name,
})
const type = (...words: string[]): Promise<Typed> => typeCommand(words, environment())

const bodyOf = (receipt: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      Body: {
        stkCallback: {
          MerchantRequestID: 'm',
          CheckoutRequestID: 'ws_CO_1',
          ResultCode: 0,
          ResultDesc: 'The service request is processed successfully.',
          CallbackMetadata: {
            Item: [
              { Name: 'Amount', Value: 150 },
              { Name: 'MpesaReceiptNumber', Value: receipt },
              { Name: 'TransactionDate', Value: 20_260_504_120_000 },
              { Name: 'PhoneNumber', Value: 254_712_345_678 },
            ],
          },
        },
      },
    }),
  )

const guardIn = (place: string, name: string): Promise<NumberGuard> =>
  openNumberGuard({ folder: place, name, log: quietLog, clock: systemClock, nowMs: () => performance.now() })

/** Numbers as they are given out by sequence. */
const readSequences = async (): Promise<unknown> => {
  const { rows } = await sql`
    SELECT sequencename, last_value, (SELECT count(*) FROM epochs) AS epochs, (SELECT count(*) FROM audit) AS lines
    FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
  `.execute(database)
  return rows
}

beforeAll(async () => {
  own = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'restored-'))
  const guard = await guardIn(folder, 'serve')
  database = connectDatabase({ databaseUrl: own.url, poolSize: 2, log: quietLog, onConnect: guard.onConnect })
  await sql`INSERT INTO partners (name) VALUES ('Duka la Wanjiku')`.execute(database)
  const numbers = guard.numbersOf(database)
  await acceptPayments(database, 2, { submitTtlMs: 60_000, numbers })
  await guard.check(database)
  await database.destroy()
  const copy = await keepCopy(own.url)
  database = connectDatabase({ databaseUrl: own.url, poolSize: 2, log: quietLog, onConnect: guard.onConnect })
  lost = await acceptPayments(database, 4, { submitTtlMs: 60_000, numbers: guard.numbersOf(database) })
  await guard.check(database)
  await database.destroy()
  await putBack(own.url, copy)
  elsewhere = join(folder, 'elsewhere')
  await cp(join(folder, 'serve.mark'), join(elsewhere, 'serve.mark'))
  // Nothing is guarded here: it is for the command to look.
  database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
  await callBack()
})
afterAll(async () => {
  await database.destroy()
  await own.drop()
  await stream.delete()
  await rm(folder, { recursive: true, force: true })
})

/** What still comes for the payments that are gone: two callbacks, of which one is in the spool, and a delivery in JetStream. */
const callBack = async (): Promise<void> => {
  const [first = 0n, second = 0n] = lost
  await sql`
    INSERT INTO callbacks (id, received_at, payment_id, is_refused, source_address, headers, body)
    VALUES (gen_random_uuid(), now(), ${first}, false, '127.0.0.1', '[]', ${bodyOf('UE4A11B2C3')})
  `.execute(database)
  const spool = await openTestSpool(folder)
  await spool.add({
    id: crypto.randomUUID(),
    received_at: new Date(),
    payment_id: second,
    nonce: null,
    is_refused: false,
    body_bytes: null,
    body: Buffer.from(
      '{"Body":{"stkCallback":{"ResultCode":1032,"ResultDesc":"Request cancelled by user"}}}',
    ),
    headers: [],
    source_address: '127.0.0.1',
  })
  await spool.close()
  const queue = openDeliveryQueue({
    natsUrl: stream.natsUrl,
    stream: stream.name,
    name: 'test',
    log: quietLog,
  })
  const due = { delivery_id: 7n, publish_number: 1, partner_id: 1n, host: 'duka.co.ke' }
  await eventually(() => queue.publish(due))
  await queue.close()
}

const KNOWN = {
  database: 'older',
  payments_missing_above: 2,
  jetstream: 'asked',
  payments: [
    {
      payment_id: 3,
      outcome: 'successful',
      result_code: '0',
      receipt: 'UE4A11B2C3',
      amount_kes: 150,
      msisdn: '2547*****678',
      called_back_at: expect.any(String),
      kept_in: 'database',
    },
    {
      payment_id: 4,
      outcome: 'failed',
      result_code: '1032',
      receipt: null,
      amount_kes: null,
      msisdn: null,
      called_back_at: expect.any(String),
      kept_in: 'spool',
    },
  ],
  deliveries: [{ delivery_id: 7, partner_id: 1, partner: 'Duka la Wanjiku', host: 'duka.co.ke' }],
}

it('migrate says that the database is older than the mark', async () => {
  const migrated = await type('migrate', '--json')
  expect(migrated.code).toBe(0)
  expect(JSON.parse(migrated.stdout)).toEqual({
    migrations: [],
    numbers:
      'the database is older than what was given out: was it restored from a copy? Run gateway restored',
  })
  expect(migrated.stderr).toContain('"event":"database_older"')
})

it('a dry run lists what is known of what is lost, and changes nothing', async () => {
  const before = await readSequences()
  const { code, stdout } = await type('restored', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ done: false, epoch: null, ...KNOWN })
  const words = await type('restored')
  expect(words.stdout).toContain('Payments above 2 are missing, but for those that were asked for since.')
  expect(words.stdout).toMatch(/\n3 +successful +0 +UE4A11B2C3 +150 +2547\*{5}678 /)
  expect(words.stdout).toMatch(/\n7 +1 +Duka la Wanjiku +duka.co.ke\n/)
  expect(words.stdout).toContain('Nothing was changed. Tell the partners, then add --yes.')
  expect(await readSequences()).toEqual(before)
})

it('a command that draws numbers meanwhile draws none that was given out', async () => {
  const { stdout } = await typeCommand(['partners', 'create', '--name', 'Mama Mboga', '--json'], {
    ...environment(),
    SECRET_KEY: TEST_SECRET_KEY,
  })
  const { partner_id } = JSON.parse(stdout) as { partner_id: number }
  expect(partner_id).toBeGreaterThan(1_000)
  const ids = await acceptPayments(database, 1)
  expect(ids[0]).toBeGreaterThan(lost.at(-1) ?? 0n)
})

it('with --yes it raises every sequence, begins an epoch, and nobody hears of it any more', async () => {
  const { code, stdout } = await type('restored', '--yes', '--by', 'amina', '--json')
  expect(code).toBe(0)
  const reported = JSON.parse(stdout) as { sequences: { database: number; goes_on_above: number }[] }
  expect(reported).toMatchObject({ done: true, epoch: 2, ...KNOWN })
  for (const { database: was, goes_on_above: upTo } of reported.sequences)
    expect(upTo).toBeGreaterThanOrEqual(was)
  expect(
    await database.selectFrom('epochs').select(['number', 'begun_by']).orderBy('number').execute(),
  ).toEqual([
    { number: 1, begun_by: null },
    { number: 2, begun_by: 'amina' },
  ])
  const line = await database.selectFrom('audit').selectAll().where('action', '=', 'restored').execute()
  expect(line).toMatchObject([{ actor_name: 'amina', subject_kind: 'database', subject_id: '2' }])
  expect(JSON.parse((await type('migrate', '--json')).stdout)).toEqual({ migrations: [] })
  const again = JSON.parse((await type('restored', '--json')).stdout) as Record<string, unknown>
  expect(again).toMatchObject({ database: 'known', payments: KNOWN.payments })
})

it('a serve of another machine, which was off meanwhile, alarms nobody either', async () => {
  const guard = await guardIn(elsewhere, 'other')
  await guard.check(database)
  await guard.check(database)
  expect(guard.alarm()).toBeNull()
})

it('its help says where and when to run it; what cannot be asked is said', async () => {
  const help = await type('restored', '--help')
  expect(help.stdout).toContain('Without --yes nothing is changed')
  expect(help.stdout).toContain('docs/operations.md')
  const bare = await typeCommand(['restored'], { DATABASE_URL: own.url, SPOOL_DIR: join(folder, 'none') })
  expect(bare.stdout).toContain('Is SPOOL_DIR that of serve?')
  expect(bare.stdout).toContain('(JetStream not asked: there is no NATS_URL)')
})
