import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listAudit } from '../../src/core/audit/list-audit.ts'
import { countDeliveries } from '../../src/core/deliveries/count.ts'
import { findAttempts, findDelivery } from '../../src/core/deliveries/find.ts'
import { takeUnpublished } from '../../src/core/outbox/publish.ts'
import { listKeys } from '../../src/core/partners/api-key.ts'
import { findPartner, listPartners } from '../../src/core/partners/partner.ts'
import { findAccountRow, findCurrentAccount, listAccounts } from '../../src/core/partners/partner-account.ts'
import { resealSecrets } from '../../src/core/partners/reseal.ts'
import { listServiceTokens } from '../../src/core/partners/service-token.ts'
import { listSigningSecrets } from '../../src/core/partners/signing-secret.ts'
import { findFindings, findHistory, findPayment, listOpenPayments } from '../../src/core/payments/find.ts'
import { findIdBounds } from '../../src/core/payments/id-bounds.ts'
import { listPayments } from '../../src/core/payments/list.ts'
import { NO_FILTER } from '../../src/core/payments/payment-filter.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { FROM_BEGINNING } from '../../src/database/look-back.ts'
import { claimDeliveries } from '../../src/dispatcher/deliver/attempts.ts'
import { findOverdue } from '../../src/dispatcher/deliver/recover.ts'
import { createLog } from '../../src/runtime/log.ts'
import { testActor } from '../support/actor.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addPartner } from '../support/partner.ts'
import { testVault } from '../support/vault.ts'

describe('a table that gets a column while the processes of the release before run', () => {
  let own: TestDatabase
  let database: Database
  const lines: string[] = []

  beforeAll(async () => {
    own = await createTestDatabase()
    // One connection, so that whatever is asked again is prepared there.
    database = connectDatabase({
      databaseUrl: own.url,
      poolSize: 1,
      log: createLog({ name: 'test', level: 'warn', to: { write: (line: string) => void lines.push(line) } }),
    })
    await addPartner(database, { name: 'Duka' })
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  const page = { limit: 5, before: null, filter: NO_FILTER }
  const owner = { partnerId: 1n }
  const undelivered = { ...page, owner, filter: { ...NO_FILTER, undeliveredOnly: true } }
  const READS: [string, () => Promise<unknown>][] = [
    ['a payment', () => findPayment(database, owner, 1n)],
    ['a list of payments', () => listPayments(database, { owner, ...page })],
    ['payments that stand open', () => listOpenPayments({ database, owner, ageMs: 1, after: 0n, limit: 5 })],
    ['payments whose outcome was not delivered', () => listPayments(database, undelivered)],
    ['the ids of a time', () => findIdBounds(database, { createdFrom: new Date(0), createdTo: new Date(1) })],
    ['the history of a payment', () => findHistory(database, 1n)],
    ['the findings of a payment', () => findFindings(database, 1n)],
    ['a delivery', () => findDelivery(database, 1n)],
    ['the attempts of a delivery', () => findAttempts(database, 1n)],
    ['how many deliveries fit', () => countDeliveries(database, ALL_DELIVERIES, 100)],
    ['deliveries to publish', () => takeUnpublished(database, FROM_BEGINNING)],
    ['deliveries to attempt', () => claimDeliveries(database, [1n])],
    [
      'deliveries that are overdue',
      () => findOverdue(database, { overdueMs: 1, except: [1n], limit: 5, look: FROM_BEGINNING }),
    ],
    ['an account', () => findAccountRow(database, 1n)],
    ['the account of a partner', () => findCurrentAccount(database, 1n)],
    ['the accounts of a partner', () => listAccounts(database, { partnerId: 1n, after: 0n, limit: 5 })],
    ['a partner', () => findPartner(database, 1n)],
    ['partners', () => listPartners({ database, after: null, limit: 5 })],
    ['keys', () => listKeys(database, 1n)],
    ['service tokens', () => listServiceTokens(database, { after: 0n, limit: 5 })],
    ['signing secrets', () => listSigningSecrets(database, 1n)],
    ['the audit log', () => listAudit(database, { partnerId: 1n, subject: null, before: null, limit: 5 })],
    ['sealed secrets', () => resealSecrets({ database, vault: testVault, actor: testActor })],
  ]
  const ALL_DELIVERIES = {
    partnerId: 1n,
    isTest: false,
    host: null,
    state: null,
    errorClass: null,
    createdSince: null,
    createdUntil: null,
  }

  it('changes nothing of what is prepared', async () => {
    for (const [, read] of READS) await read()
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    `.execute(database)
    for (const { name } of rows) {
      await sql`ALTER TABLE ${sql.table(name)} ADD COLUMN later text`.execute(database)
    }
    for (const [what, read] of READS) {
      await read()
      expect(lines, what).toEqual([])
    }
    expect(rows.length).toBeGreaterThan(20)
  })
})
