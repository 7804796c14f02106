import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { acceptPayment, readBodies, takePayments } from '../support/payments.ts'

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
