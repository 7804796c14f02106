import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPartner } from '../../src/core/partners/partner.ts'
import type { Database } from '../../src/database/connect.ts'
import { attempted } from '../core/deliveries/harness.ts'
import { testActor } from '../support/actor.ts'
import { typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addDelivery } from '../support/deliveries.ts'
import { acceptPayment } from '../support/payments.ts'
import { testVault } from '../support/vault.ts'

/** Clears the screen, moves to its top, writes a title, begins a sequence in one character, and turns the direction. */
const HOSTILE = '\u001b[2J\u001b[H\u001b]0;paid\u0007\u009b31m\u202edevolc\r\nDelivered.'
const SHOWN = String.raw`\u001b[2J\u001b[H\u001b]0;paid\u0007\u009b31m\u202edevolc\r\nDelivered.`

let own: OpenDatabase
let database: Database
let paymentId: bigint
let deliveryId: bigint
let partnerId: bigint

/** Whatever wrote it: an older release, another program, or a hole that nobody knows of yet. */
const writeEverywhere = async (): Promise<void> => {
  await sql`UPDATE payments SET result_desc = ${HOSTILE}, reference = ${HOSTILE}, receipt = ${HOSTILE}`.execute(
    database,
  )
  await sql`INSERT INTO payment_findings (payment_id, kind, detail) VALUES (${paymentId}, 'different_receipt', ${HOSTILE})`.execute(
    database,
  )
  await sql`UPDATE payment_history SET detail = ${HOSTILE}, operator = ${HOSTILE}`.execute(database)
  await sql`UPDATE attempts SET answer = ${HOSTILE}`.execute(database)
  await sql`UPDATE deliveries SET dead_reason = ${HOSTILE}`.execute(database)
  await sql`UPDATE partners SET name = ${HOSTILE}`.execute(database)
  await sql`UPDATE api_keys SET name = ${HOSTILE}`.execute(database)
  await sql`UPDATE audit SET source = ${HOSTILE}`.execute(database)
}

beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  const partner = { database, actor: testActor, name: 'Duka', vault: testVault, randomBytes }
  partnerId = (await createPartner(partner)).partnerId
  paymentId = await acceptPayment(database)
  deliveryId = await addDelivery(database, 'https://shop.co.ke/callback')
  await attempted(database, deliveryId, { status: 503, errorClass: 'status' })
  await writeEverywhere()
})
afterAll(() => own.close())

const run = async (words: readonly string[]): Promise<string> => {
  const typed = await typeCommand(words, { DATABASE_URL: own.url })
  expect(typed).toMatchObject({ code: 0, stderr: '' })
  return typed.stdout
}

/** What a terminal would obey, the ends of lines aside. */
const OBEYED = /(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/u

describe('what others wrote is shown and not obeyed', () => {
  const commands: [string, () => string[]][] = [
    ['payments show', () => ['payments', 'show', String(paymentId)]],
    ['payments show --whole', () => ['payments', 'show', String(paymentId), '--whole']],
    ['payments list', () => ['payments', 'list']],
    ['deliveries show', () => ['deliveries', 'show', String(deliveryId)]],
    ['partners list', () => ['partners', 'list']],
    ['partners show', () => ['partners', 'show', String(partnerId)]],
    ['partners keys list', () => ['partners', 'keys', 'list', String(partnerId)]],
    ['audit list', () => ['audit', 'list']],
  ]

  it.each(commands)('%s', async (_name, words) => {
    const shown = await run(words())
    expect(shown).not.toMatch(OBEYED)
    expect(shown).toContain(SHOWN)
  })

  it.each(commands)('%s --json, which is the same JSON', async (_name, words) => {
    const shown = await run([...words(), '--json'])
    expect(shown).not.toMatch(OBEYED)
    const texts: unknown[] = []
    JSON.parse(shown, (_key, value: unknown) => texts.push(value))
    expect(texts).toContain(HOSTILE)
  })
})

it('what was typed wrongly is not obeyed either', async () => {
  const typed = await typeCommand(['payments', 'show', HOSTILE], { DATABASE_URL: own.url })
  expect(typed).toMatchObject({ code: 2, stderr: expect.not.stringMatching(OBEYED) })
})
