import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addPartner } from '../support/partner.ts'
import { acceptPayment, acceptPayments, readBodies, takePayments } from '../support/payments.ts'

describe('gateway payments', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  const run = (words: string[], environment: Record<string, string> = {}): Promise<Typed> =>
    typeCommand(['payments', ...words], { DATABASE_URL: own.url, ...environment })

  /** A payment whose submitter died. */
  const makeUnconfirmed = async (): Promise<string> => {
    const id = await acceptPayment(database)
    await takePayments(database, { leaseMs: 0 })
    await takePayments(database)
    return String(id)
  }

  const settleWith = (receipt: string) => [
    '--outcome',
    'successful',
    '--receipt',
    receipt,
    '--reason',
    'on the statement',
  ]
  const SETTLE = settleWith('UE4A11B2C3')

  it('lists what is open, and what is overdue', async () => {
    const id = Number(await makeUnconfirmed())
    const open = JSON.parse((await run(['list', '--open', '--json'])).stdout)
    expect(open).toContainEqual(expect.objectContaining({ payment_id: id, state: 'unconfirmed' }))
    expect(JSON.parse((await run(['list', '--overdue', '--json'])).stdout)).toEqual([])
    const soon = { OPEN_PAYMENT_ALERT_AFTER_MS: '1' }
    const overdue = JSON.parse((await run(['list', '--overdue', '--json'], soon)).stdout)
    expect(overdue).toContainEqual(expect.objectContaining({ payment_id: id }))
  })

  it('finds payments by what is known of them, one partner’s or everybody’s, and no others', async () => {
    expect((await addPartner(database)).partnerId).toBe(1n)
    const [first, second] = await acceptPayments(database, 2, { submitTtlMs: 60_000 })
    await database
      .updateTable('payments')
      .set({ reference: 'INV-77', receipt: 'UE4A11B2C9', created_at: new Date('2026-05-04T08:00:00Z') })
      .where('id', '=', first ?? 0n)
      .execute()
    await database
      .insertInto('receipts')
      .values({ receipt: 'UE4A11B2C9', payment_id: first ?? 0n })
      .execute()
    const find = async (...words: string[]): Promise<number[]> => {
      const { stdout } = await run(['list', '--json', ...words])
      return JSON.parse(stdout).map((row: { payment_id: number }) => row.payment_id)
    }
    const one = [Number(first)]
    expect(await find('--reference', 'INV-77')).toEqual(one)
    expect(await find('--reference', 'INV-77', '--partner', '1')).toEqual(one)
    expect(await find('--reference', 'INV-77', '--partner', '2')).toEqual([])
    expect(await find('--receipt', 'UE4A11B2C9')).toEqual(one)
    expect(await find('--key', 'nobodys')).toEqual([])
    expect(await find('--phone', '254712345678', '--reference', 'INV-77', '--state', 'accepted')).toEqual(one)
    expect(await find('--since', '1h')).toContain(Number(second))
    expect(await find('--since', '1h')).not.toContain(Number(first))
    expect(await find('--undelivered', '--reference', 'INV-77')).toEqual([])
  })

  it.each([
    [
      ['--phone', '0712345678'],
      '--phone must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"',
    ],
    [['--receipt', 'a b'], '--receipt must be a receipt of M-PESA'],
    [['--reference', 'x'.repeat(65)], '--reference must be a string of 1 to 64'],
    [['--since', 'yesterday'], '--since must be a day or an instant'],
    [['--since', '1h', '--until', '2h'], '--until must be later than --since'],
    [['--open', '--reference', 'INV-77'], "'--open' cannot be used with option '--reference"],
  ])('refuses to list by %j', async (words, problem) => {
    expect(await run(['list', ...words])).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) })
  })

  it('shows why a payment failed, and the partner’s pairs with numbers masked', async () => {
    const [id = 0n] = await acceptPayments(database, 1, { submitTtlMs: 60_000 })
    const failed = {
      state: 'failed' as const,
      result_code: '1',
      metadata: { payer: '254712345678', order: '17' },
    }
    await database.updateTable('payments').set(failed).where('id', '=', id).execute()
    expect(JSON.parse((await run(['show', String(id), '--json'])).stdout)).toMatchObject({
      failure: 'insufficient_funds',
      worth_retrying: true,
      metadata: { payer: expect.stringMatching(/^2547\*+678$/), order: '17' },
    })
    expect((await run(['show', String(id), '--whole', '--json'])).stdout).toContain('"payer":"254712345678"')
  })

  it('settles one by hand, and shows who and why', async () => {
    const id = await makeUnconfirmed()
    expect(await run(['settle', id, ...SETTLE, '--by', 'amina', '--json'])).toMatchObject({
      code: 0,
      stdout: `{"payment_id":${id},"state":"successful"}\n`,
    })
    const { stdout } = await run(['show', id])
    expect(stdout).toMatch(/unconfirmed +successful +operator +on the statement +amina/)
    expect(await readBodies(database, BigInt(id))).toMatchObject([{ status: 'successful' }])
  })

  it('shows before what would be delivered to whom, and leaves to Daraja what it is still asked for', async () => {
    const id = await makeUnconfirmed()
    const looked = await run(['settle', id, ...settleWith('UE4A11B2D7'), '--dry-run'])
    expect(looked).toMatchObject({ code: 0, stderr: '' })
    expect(looked.stdout).toContain('would go from unconfirmed to successful')
    expect(looked.stdout).toContain('Nothing was changed: leave out --dry-run to go on.')
    await sql`INSERT INTO to_query (payment_id, due_at) VALUES (${id}, now() + interval '1 hour')`.execute(
      database,
    )
    const refused = await run(['settle', id, ...settleWith('UE4A11B2D7')])
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('may be settled without you, for Daraja is asked for its outcome'),
    })
    expect(await readBodies(database, BigInt(id))).toEqual([])
    expect((await run(['settle', id, ...settleWith('UE4A11B2D7'), '--anyway'])).code).toBe(0)
  })

  it('fills in the receipt of a paid one by hand, and says that nobody is told', async () => {
    const id = await makeUnconfirmed()
    await sql`UPDATE payments SET state = 'successful', transaction_date = now() WHERE id = ${id}`.execute(
      database,
    )
    const looked = await run(['settle', id, ...settleWith('UE4A11B2E1'), '--dry-run'])
    expect(looked.stdout).toContain(
      'has no receipt: UE4A11B2E1 would be filled in. Its partner is not notified',
    )
    expect(await run(['settle', id, ...settleWith('UE4A11B2E1')])).toMatchObject({
      code: 0,
      stdout: `Payment ${id} has the receipt UE4A11B2E1 now. Its partner is not notified: it knows that it is paid.\n`,
    })
    expect(await readBodies(database, BigInt(id))).toEqual([])
  })

  it('shows no whole number that an operator typed as a reason, nor does what lists deliveries or the audit log', async () => {
    const id = await makeUnconfirmed()
    const reason = ['--reason', 'the payer rang, 0712345678']
    expect((await run(['settle', id, '--outcome', 'failed', ...reason])).code).toBe(0)
    const { id: deliveryId } = await database
      .selectFrom('deliveries')
      .select('id')
      .where('payment_id', '=', BigInt(id))
      .executeTakeFirstOrThrow()
    const type = (...words: string[]) => typeCommand(words, { DATABASE_URL: own.url })
    expect((await type('deliveries', 'cancel', String(deliveryId), ...reason)).code).toBe(0)
    const shown = [
      await run(['show', id]),
      await run(['show', id, '--json']),
      await type('deliveries', 'list', '--json'),
      await type('audit', 'list', '--limit', '2'),
      await type('audit', 'list', '--limit', '2', '--json'),
    ]
    for (const { stdout } of shown) {
      expect(stdout).toContain('the payer rang, 0712*****678')
      expect(stdout).not.toContain('712345678')
    }
  })

  it('lists what did not fit', async () => {
    const id = await makeUnconfirmed()
    const finding = { payment_id: BigInt(id), kind: 'different_amount', detail: '151 instead of 150' }
    await database.insertInto('payment_findings').values(finding).execute()
    const { stdout } = await run(['findings', '--kind', 'different_amount', '--json'])
    expect(JSON.parse(stdout)).toMatchObject([{ ...finding, payment_id: Number(id) }])
  })

  it('lists what needs a human, and no more what somebody has seen to', async () => {
    const id = await makeUnconfirmed()
    const finding = { payment_id: BigInt(id), kind: 'not_proven', detail: 'a callback of 254712345678' }
    await database.insertInto('payment_findings').values(finding).execute()
    const list = async (): Promise<Record<string, unknown>[]> => {
      const { stdout } = await run(['exceptions', '--json'], { OPEN_PAYMENT_ALERT_AFTER_MS: '1' })
      expect(stdout).not.toContain('712345678')
      return JSON.parse(stdout).filter((row: { payment_id: number }) => row.payment_id === Number(id))
    }
    const [open, found] = await list()
    expect(open).toMatchObject({ kind: 'unconfirmed', verbs: ['settle'] })
    expect(found).toMatchObject({ kind: 'finding', verbs: ['acknowledge'] })
    const acknowledge = ['findings', 'acknowledge', String(found?.['finding_id']), '--note', 'seen']
    expect(await run([...acknowledge, '--by', 'amina'])).toMatchObject({
      code: 0,
      stdout: `Finding ${String(found?.['finding_id'])} about payment ${id} is acknowledged.\n`,
    })
    expect(await list()).toMatchObject([{ kind: 'unconfirmed' }])
    expect((await run(['show', id, '--timeline'])).stdout).toMatch(/by: amina; note: seen/)
  })

  it('takes no receipt that proves another payment, and names that one', async () => {
    const [first, second] = [await makeUnconfirmed(), await makeUnconfirmed()]
    await run(['settle', first, ...settleWith('UE4A11B2C5')])
    expect(await run(['settle', second, ...settleWith('UE4A11B2C5')])).toMatchObject({
      code: 2,
      stderr: `UE4A11B2C5 is the receipt of payment ${first} already, and one receipt proves one payment; nothing was changed\n`,
    })
    expect(await readBodies(database, BigInt(second))).toEqual([])
  })

  it('changes nothing where no arrow leads, and says so', async () => {
    const id = await makeUnconfirmed()
    await run(['settle', id, ...settleWith('UE4A11B2C4')])
    expect(await run(['settle', id, '--outcome', 'failed', '--reason', 'a mistake'])).toMatchObject({
      code: 2,
      stderr: `payment ${id} is successful and cannot become failed; nothing was changed\n`,
    })
    expect(await run(['settle', '999999', ...SETTLE])).toMatchObject({
      code: 2,
      stderr: 'there is no payment 999999\n',
    })
  })

  it.each([
    [['--outcome', 'successful', '--receipt', 'short', '--reason', 'seen'], '--receipt must be'],
    [['--outcome', 'failed', '--receipt', 'UE4A11B2C3', '--reason', 'seen'], '--receipt is for a success'],
    [['--outcome', 'failed', '--reason', ' '], '--reason must be'],
    [['--outcome', 'lost', '--reason', 'seen'], '--outcome'],
  ])('refuses %j', async (words, problem) => {
    expect(await run(['settle', '1', ...words])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(problem),
    })
  })
})
