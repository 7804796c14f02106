import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deliveriesCommand } from '../../src/cli/deliveries.ts'
import type { Database } from '../../src/database/connect.ts'
import { attempted, clear, end, hold } from '../core/deliveries/harness.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readDelivery, readDuty } from '../support/deliveries.ts'
import { addPartner } from '../support/partner.ts'

const SHOP = 'https://shop.co.ke/callback'

describe('gateway deliveries', () => {
  let own: OpenDatabase
  let database: Database
  let partner: string

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
    const added = await addPartner(database)
    partner = String(added.partnerId)
  })
  afterAll(() => own.close())
  beforeEach(() => clear(database))

  const run = (...words: string[]): Promise<Typed> =>
    typeCommand(['deliveries', ...words], { DATABASE_URL: own.url })

  const runJson = async (...words: string[]) => {
    const { stdout, stderr } = await run(...words, '--json')
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout)
  }

  it('lists what fits, for a person and for a script', async () => {
    const id = await addDelivery(database, SHOP)
    await addDelivery(database, 'https://other.co.ke/', 8n)
    await attempted(database, id, { status: 503, errorClass: 'status' })
    const listed = await run('list', '--partner', '7', '--error-class', 'status', '--since', '1h')
    expect(listed.stdout).toMatch(/^delivery_id +payment_id +partner_id +host +state/)
    expect(listed.stdout).toContain('shop.co.ke  pending  1         status       503')
    expect(await runJson('list', '--host', 'shop.co.ke', '--state', 'pending')).toMatchObject([
      { delivery_id: Number(id), partner_id: 7, is_under_way: false, held_at: null },
    ])
    expect(await runJson('list', '--until', '2020-01-01')).toEqual([])
  })

  it('lists all that fit, however far back they are', async () => {
    await sql`
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT id, 7, 'msg_' || id, 'https://shop.co.ke/',
             CASE WHEN id IN (2, 3, 5005) THEN 'rare.co.ke' ELSE 'shop.co.ke' END, '{}'
      FROM generate_series(1, 5010) id
    `.execute(database)
    const paymentsOf = (rows: { payment_id: number }[]) => rows.map((row) => row.payment_id)
    const rare = ['list', '--partner', '7', '--host', 'rare.co.ke']
    expect(paymentsOf(await runJson(...rare))).toEqual([5005, 3, 2])
    expect(paymentsOf(await runJson(...rare, '--limit', '2'))).toEqual([5005, 3])
  })

  it('shows one with its attempts, for a person and for a script', async () => {
    const id = await addDelivery(database, SHOP)
    await attempted(database, id, { status: 503, errorClass: 'status', answer: 'call 2547*****678' })
    const shown = await run('show', String(id))
    expect(shown.stdout).toMatch(/callback_url +https:\/\/shop\.co\.ke\/callback/)
    expect(shown.stdout).toMatch(/\n1 +\S+Z +\S+Z +12 +203\.0\.113\.9 +503 +status +call 2547\*{5}678\n/)
    expect(await runJson('show', String(id))).toMatchObject({
      delivery_id: Number(id),
      attempts: [{ number: 1, status: 503, answer: 'call 2547*****678' }],
    })
  })

  it('retries what is named, and says what became of each', async () => {
    const id = await addDelivery(database, SHOP)
    await end(database, id, 'dead')
    const retried = await run('retry', String(id), '999999', '--by', 'amina')
    expect(retried).toMatchObject({ code: 0, stderr: '' })
    expect(retried.stdout).toMatch(/^delivery_id +outcome\n\d+ +retried\n999999 +not_found\n$/)
    expect(await readDelivery(database, id)).toMatchObject({ state: 'pending' })
  })

  it('cancels what is named, and exits with 1 when nothing of it could be done', async () => {
    const id = await addDelivery(database, SHOP)
    const words = ['cancel', String(id), '--reason', 'told by telephone', '--by', 'amina']
    expect(await runJson(...words)).toEqual({
      found: 1,
      cancelled: 1,
      changes: [{ delivery_id: Number(id), outcome: 'cancelled' }],
    })
    expect(await readDelivery(database, id)).toMatchObject({
      dead_reason: 'cancelled by amina: told by telephone',
    })
    expect(await run(...words)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('already_ended'),
    })
  })

  it('takes as many ids as a shell hands over, but not at a rate when they are more than a request takes', async () => {
    const [id = 0n] = await addDeliveries(database, [SHOP])
    await end(database, id, 'dead')
    const ids = [...Array.from({ length: 1000 }, (_none, index) => String(5_000_000 + index)), String(id)]
    const retried = await runJson('retry', ...ids)
    expect(retried).toMatchObject({ found: 1, retried: 1 })
    expect(retried.changes).toHaveLength(1001)
    expect(retried.changes.at(-1)).toEqual({ delivery_id: Number(id), outcome: 'retried' })
    expect(await run('retry', ...ids, '--rate', '5')).toMatchObject({
      code: 2,
      stderr: '--rate is for at most 1000 ids: name more by --state and other options\n',
    })
  })

  it('counts many before it changes them, and lets them out at a rate', async () => {
    const ids = await addDeliveries(database, [SHOP, SHOP, SHOP])
    for (const id of ids) await end(database, id, 'dead')
    const many = ['retry', '--state', 'dead', '--partner', '7', '--rate', '2']
    expect(await run(...many)).toMatchObject({
      code: 0,
      stdout: '3 deliveries would be retried. Nothing was changed: add --yes to go on.\n',
    })
    expect(await readDuty(database, ids[0] ?? 0n)).toBeUndefined()
    expect(await run(...many, '--yes')).toMatchObject({ code: 0, stdout: '3 deliveries retried.\n' })
    const [first, , last] = await Promise.all(ids.map((id) => readDuty(database, id)))
    expect((last?.due_at.getTime() ?? 0) - (first?.due_at.getTime() ?? 0)).toBe(1000)
  })

  it('says of those that it leaves alone why it may do so', async () => {
    const [failed = 0n, successful = 0n] = await addDeliveries(database, [SHOP, SHOP])
    const { payment_id } = await readDelivery(database, failed)
    await database.updateTable('deliveries').set({ payment_id }).where('id', '=', successful).execute()
    await end(database, failed, 'dead')
    expect(await run('retry', '--state', 'dead', '--partner', '7', '--yes')).toMatchObject({
      stdout:
        '0 deliveries retried. 1 left alone: an attempt is under way, or its payment has succeeded since.\n',
    })
  })

  it('pauses an endpoint, lists it, and resumes it', async () => {
    const id = await addDelivery(database, SHOP, BigInt(partner))
    const endpoint = ['--partner', partner, '--host', 'shop.co.ke']
    expect((await run('pause', ...endpoint, '--by', 'amina')).stdout).toMatch(
      /^Endpoint shop\.co\.ke of partner \d+ is paused since 20\S+Z: its deliveries are held until it is resumed\.\n$/,
    )
    await hold(database, id)
    expect(await runJson('endpoints', '--paused')).toMatchObject([
      { host: 'shop.co.ke', paused_by: 'amina', held: 1, pending: 0 },
    ])
    expect(await runJson('resume', ...endpoint)).toEqual({
      partner_id: Number(partner),
      host: 'shop.co.ke',
      held: 1,
    })
  })

  it.each([
    ['show 999999', 'there is no delivery 999999'],
    ['show x', 'the delivery must be an id, a positive whole number, not x'],
    ['list --limit 0', '--limit must be a whole number from 1 to 1000, not 0'],
    ['list --host shop.co.ke/callback', '--host must be the host of a callback URL alone, like shop.co.ke'],
    ['list --error-class tsl', '--error-class must be one of blocked, dns, refused, '],
    ['list --since yesterday', '--since must be a day or an instant in UTC'],
    ['list --until 2026-02-30T99:00Z', '--until must be a day or an instant in UTC'],
    ['list --state lost', "option '--state <state>' argument 'lost' is invalid"],
    ['retry', 'name deliveries by their ids, or by --state pending, held, dead, cancelled'],
    ['retry --partner 7', 'name deliveries by their ids, or by --state'],
    ['retry --state delivered', 'name deliveries by their ids, or by --state pending, held, dead, cancelled'],
    ['retry 17 --partner 7', 'name deliveries by their ids, or by options, not both'],
    ['retry 17 --rate 0', '--rate must be a whole number from 1 to 1000'],
    ['cancel 17', "required option '--reason <reason>' not specified"],
    ['cancel 17 --reason=', '--reason must be 1 to 500 printable characters'],
    ['cancel --state dead --reason x', "option '--state <state>' argument 'dead' is invalid"],
    ['pause --partner 999999 --host shop.co.ke', 'there is no partner 999999'],
    ['resume --partner 999999 --host shop.co.ke', 'endpoint shop.co.ke of partner 999999 is not paused'],
    ['pause --partner 1', "required option '--host <host>' not specified"],
  ])('refuses `%s`', async (words, problem) => {
    // In this process: a process for each would take its time.
    const command = deliveriesCommand({ DATABASE_URL: own.url })
    for (const one of [command, ...command.commands]) {
      one.exitOverride().configureOutput({ writeErr: () => undefined })
    }
    await expect(command.parseAsync(words.split(' '), { from: 'user' })).rejects.toThrow(problem)
  })

  it('exits with 2 and a line for a person when it is called wrongly', async () => {
    expect(await run('show', '999999')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'there is no delivery 999999\n',
    })
  })
})
