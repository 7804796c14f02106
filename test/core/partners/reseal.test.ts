import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSecrets } from '../../../src/core/partners/open-accounts.ts'
import { findCurrentAccount, setAccount } from '../../../src/core/partners/partner-account.ts'
import { resealSecrets } from '../../../src/core/partners/reseal.ts'
import type { Database } from '../../../src/database/connect.ts'
import { identityOfSigningSecret } from '../../../src/database/sealed-columns.ts'
import { createVault } from '../../../src/runtime/seal.ts'
import { testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addPartner } from '../../support/partner.ts'

const [OLD, NEW] = [randomBytes(32), randomBytes(32)]
const oldVault = createVault({ secretKey: OLD, previousSecretKey: null, randomBytes })
const bothVault = createVault({ secretKey: NEW, previousSecretKey: OLD, randomBytes })
const newVault = createVault({ secretKey: NEW, previousSecretKey: null, randomBytes })

const ACCOUNT = {
  consumerKey: 'key',
  consumerSecret: 'secret',
  passkey: 'passkey',
  shortcode: '600111',
  transactionType: 'CustomerPayBillOnline',
  partyB: '600111',
} as const

/** More than one batch. */
const PARTNERS = 110

describe('sealing again', () => {
  let own: OpenDatabase
  let database: Database
  const secrets = new Map<bigint, string>()

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 8 })
    database = own.database
    const create = async (): Promise<void> => {
      const created = await addPartner(database, { name: 'Duka', vault: oldVault })
      secrets.set(created.partnerId, created.signingSecret)
      await setAccount({
        actor: testActor,
        database,
        vault: oldVault,
        partnerId: created.partnerId,
        account: ACCOUNT,
        features: { uniqueReference: false, pull: null },
      })
    }
    for (let count = 0; count < PARTNERS; count += 10) {
      await Promise.all(Array.from({ length: 10 }, create))
    }
  }, 120_000)
  afterAll(() => own.close())

  const opened = async (): Promise<Map<bigint, string>> => {
    const rows = await database.selectFrom('signing_secrets').selectAll().execute()
    return new Map(
      rows.map((row) => [row.partner_id, newVault.open(row.secret_sealed, identityOfSigningSecret(row))]),
    )
  }

  it('leaves everything as it is while the key has not changed', async () => {
    const done = await resealSecrets({ actor: testActor, database, vault: oldVault })
    expect(done).toEqual({ resealed: 0, current: PARTNERS * 4, unreadable: [] })
  })

  it('says what opens under neither key, and leaves it as it is', async () => {
    const before = await sql`SELECT * FROM signing_secrets ORDER BY id`.execute(database)
    const done = await resealSecrets({ actor: testActor, database, vault: newVault })
    expect(done).toMatchObject({ resealed: 0, current: 0 })
    expect(done.unreadable).toHaveLength(PARTNERS * 4)
    expect(done.unreadable[0]).toMatch(/^signing_secrets 1 of partner \d+ was sealed under a key/)
    expect((await sql`SELECT * FROM signing_secrets ORDER BY id`.execute(database)).rows).toEqual(before.rows)
  })

  it('brings every secret under the new key, the same as it was', async () => {
    const done = await resealSecrets({ actor: testActor, database, vault: bothVault })
    expect(done).toEqual({ resealed: PARTNERS * 4, current: 0, unreadable: [] })
    expect(await opened()).toEqual(secrets)
    const row = await findCurrentAccount(database, [...secrets.keys()][0] ?? 0n)
    expect(row && openSecrets(newVault, row)).toEqual(ACCOUNT)
  })

  it('forgets no column that is sealed, whatever table it is in', async () => {
    const { rows: columns } = await sql<{ table_name: string; column_name: string }>`
      SELECT table_name, column_name FROM information_schema.columns
      WHERE table_schema = 'public' AND column_name LIKE '%\\_sealed'
    `.execute(database)
    expect(columns.length).toBeGreaterThanOrEqual(4)
    for (const { table_name: table, column_name: column } of columns) {
      const { rows } = await sql<{ sealed: string }>`
        SELECT ${sql.ref(column)} AS sealed FROM ${sql.table(table)}
      `.execute(database)
      expect([column, rows.length > 0]).toEqual([column, true])
      expect([column, rows.filter(({ sealed }) => !newVault.isCurrent(sealed))]).toEqual([column, []])
    }
  })

  it('goes on with the others when one opens no more', async () => {
    await sql`
      UPDATE signing_secrets SET secret_sealed = (SELECT secret_sealed FROM signing_secrets WHERE id = 2) WHERE id = 1
    `.execute(database)
    const done = await resealSecrets({ actor: testActor, database, vault: bothVault })
    expect(done).toMatchObject({ resealed: 0, current: PARTNERS * 4 - 1 })
    expect(done.unreadable).toEqual([
      expect.stringMatching(/^signing_secrets 1 .* changed since it was sealed/),
    ])
  })
})
