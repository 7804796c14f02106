import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCommands } from '../../src/cli/commands.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { createVault } from '../../src/runtime/seal.ts'
import { testActor } from '../support/actor.ts'
import { typeCommand } from '../support/command.ts'
import { quietLog } from '../support/core.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDelivery } from '../support/deliveries.ts'
import { acceptPayment } from '../support/payments.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

/** Ids of what the commands are typed about: `prepare` makes them. */
type Made = { partner: bigint; key: bigint; token: bigint; delivery: bigint; payment: bigint }

type Typing = { action: string; words: (made: Made) => string[] }

const ENDPOINT = (made: Made): string[] => ['--partner', String(made.partner), '--host', 'shop.co.ke']

/** Every command that changes something, in an order in which each finds what it needs, and what is written down of it. */
const CHANGES: Record<string, Typing> = {
  'partners create': { action: 'created', words: () => ['--name', 'Shule'] },
  'partners set': { action: 'set', words: ({ partner }) => [String(partner), '--rate', '50'] },
  'partners disable': { action: 'disabled', words: ({ partner }) => [String(partner)] },
  'partners enable': { action: 'enabled', words: ({ partner }) => [String(partner)] },
  'partners keys create': { action: 'created', words: ({ partner }) => [String(partner), '--name', 'till'] },
  'partners keys rotate': { action: 'rotated', words: ({ key }) => [String(key)] },
  'partners keys revoke': { action: 'revoked', words: ({ key }) => [String(key)] },
  'partners signing-secret rotate': { action: 'rotated', words: ({ partner }) => [String(partner)] },
  'tokens create': { action: 'created', words: () => ['--name', 'desk', '--scope', 'payments:read'] },
  'tokens revoke': { action: 'revoked', words: ({ token }) => [String(token)] },
  'accounts create': {
    action: 'set',
    words: ({ partner }) => ['--partner', String(partner), '--shortcode', '600111'],
  },
  'accounts end': { action: 'ended', words: ({ partner }) => ['--partner', String(partner)] },
  'secrets rotate': { action: 'resealed', words: () => [] },
  'deliveries pause': { action: 'paused', words: ENDPOINT },
  'deliveries resume': { action: 'resumed', words: ENDPOINT },
  'deliveries cancel': {
    action: 'cancelled',
    words: ({ delivery }) => [String(delivery), '--reason', 'a test'],
  },
  'deliveries retry': { action: 'retried', words: ({ delivery }) => [String(delivery)] },
  'payments settle': {
    action: 'settled',
    words: ({ payment }) => [String(payment), '--outcome', 'failed', '--reason', 'a test'],
  },
  restored: { action: 'restored', words: () => ['--yes'] },
  'payers erase': { action: 'erased', words: () => ['--phone', '254799999999'] },
}

/** Those that change nothing by hand. */
const OTHERS = [
  'serve',
  'dispatch',
  'migrate',
  'simulator',
  'partners list',
  'partners show',
  'partners keys list',
  'partners signing-secret list',
  'partners test-callback',
  'tokens list',
  'accounts list',
  'accounts check',
  'payments show',
  'payments list',
  'deliveries list',
  'deliveries show',
  'deliveries endpoints',
  'audit list',
]

const OLD_KEY = 'cd'.repeat(32)

/** The words of each command that has none below it. */
const leavesOf = (command: Command, above: string[] = []): string[] => {
  const words = [...above, command.name()]
  return command.commands.length === 0
    ? [words.join(' ')]
    : command.commands.flatMap((below) => leavesOf(below, words))
}

describe('what an operator has changed by a command', { timeout: 120_000 }, () => {
  let own: TestDatabase
  let database: Database
  let made: Made

  beforeAll(async () => {
    own = await createTestDatabase()
    database = connectDatabase({ databaseUrl: own.url, poolSize: 2, log: quietLog })
    made = await prepare()
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  /** Under the key before, so that there is something to be sealed again. */
  const prepare = async (): Promise<Made> => {
    const vault = createVault({
      secretKey: Buffer.from(OLD_KEY, 'hex'),
      previousSecretKey: null,
      randomBytes,
    })
    const { partnerId } = await createPartner({
      database,
      name: 'Duka',
      vault,
      actor: testActor,
      randomBytes,
    })
    const delivery = await addDelivery(database, 'https://shop.co.ke/told', partnerId)
    return { partner: partnerId, key: 1n, token: 1n, delivery, payment: await acceptPayment(database) }
  }

  const environment = () => ({
    DATABASE_URL: own.url,
    SECRET_KEY: TEST_SECRET_KEY,
    SECRET_KEY_PREVIOUS: OLD_KEY,
    SPOOL_DIR: join(tmpdir(), 'a spool that is not there'),
    ACCOUNT_CONSUMER_KEY: 'key',
    ACCOUNT_CONSUMER_SECRET: 'secret',
    ACCOUNT_PASSKEY: 'passkey',
  })

  it('is by a command that is known here: a new one is to be added', async () => {
    const commands = await loadCommands(undefined, {})
    const words = commands.flatMap((command) => leavesOf(command))
    expect(words.toSorted()).toEqual([...Object.keys(CHANGES), ...OTHERS].toSorted())
  })

  it.each(Object.entries(CHANGES))('by `%s` is written down, with who did it', async (command, typing) => {
    const { rows } = await sql<{ id: bigint }>`SELECT coalesce(max(id), 0) AS id FROM audit`.execute(database)
    const words = [...command.split(' '), ...typing.words(made), '--by', 'anne']
    const typed = await typeCommand(words, environment())
    expect(typed).toMatchObject({ code: 0, stderr: '' })
    const lines = await database
      .selectFrom('audit')
      .selectAll()
      .where('id', '>', rows[0]?.id ?? 0n)
      .orderBy('id')
      .execute()
    expect(lines.at(-1)).toMatchObject({ action: typing.action, actor_kind: 'operator', actor_name: 'anne' })
  })
})
