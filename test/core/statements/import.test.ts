import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { erasePayer, eraseWithin } from '../../../src/core/payers/erase.ts'
import { findHeld, type Held } from '../../../src/core/payers/find-held.ts'
import { startForgettingUploads } from '../../../src/core/statements/forget-uploads.ts'
import { importStatement } from '../../../src/core/statements/import-statement.ts'
import { addPart } from '../../../src/core/statements/uploads.ts'
import { connectDatabase } from '../../../src/database/connect.ts'
import { parseMsisdn } from '../../../src/values/msisdn.ts'
import { testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { dumpDatabase, tablesWith } from '../../support/dump.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { portalXlsx, statementFixture } from '../../support/statements.ts'
import { importFile, putPayment, SHORTCODE, statementOf, statementsOf } from './importing.ts'

const line = (number: number, more: object = {}) => ({
  receipt: `TKQ${String(number).padStart(7, '0')}`,
  at: '2026-11-25T09:00:20Z',
  ...more,
})

describe('importing a statement', () => {
  let own: OpenDatabase
  beforeAll(async () => {
    own = await openTestDatabase()
  })
  afterAll(() => own.close())

  const counts = async (): Promise<Record<string, number>> => {
    const { rows } = await sql<Record<string, number>>`
      SELECT (SELECT count(*)::int FROM statements) AS statements, (SELECT count(*)::int FROM statement_lines) AS lines,
        (SELECT count(*)::int FROM statement_exceptions) AS exceptions,
        (SELECT count(*)::int FROM statement_uploads) AS parts, (SELECT count(*)::int FROM audit) AS audit
    `.execute(own.database)
    return rows[0] ?? {}
  }

  it('takes the forms that are found, once each, in parts of any size, and keeps nothing of who paid', async () => {
    const csv = await importFile(own.database, await statementFixture('portal.csv'), { partBytes: 100 })
    expect(csv).toMatchObject({
      alreadyImported: false,
      statement: { shortcode: '600123', lines: 4, paidLines: 2 },
    })
    const xlsx = await importFile(own.database, await portalXlsx(), { partBytes: 999 })
    expect(xlsx).toMatchObject({ statement: { lines: 2, paidLines: 2, knownLines: 2, paidCents: 350_000n } })
    const bare = await importFile(own.database, await statementFixture('columns-only.csv'), {
      shortcode: '600123',
    })
    expect(bare).toMatchObject({ statement: { knownLines: 2 } })
    expect(await counts()).toEqual({ statements: 3, lines: 2, exceptions: 2, parts: 0, audit: 3 })
    expect(JSON.stringify([...(await dumpDatabase(own.database))])).not.toMatch(/ACHIENG|OTIENO|254721000108/)
  })

  it('is told of a file that was imported before, and changes nothing', async () => {
    const before = await counts()
    const again = await importFile(own.database, await statementFixture('portal.csv'))
    expect(again).toMatchObject({ alreadyImported: true, statement: { statementId: 1n } })
    expect(await counts()).toEqual(before)
  })

  it('that does not say of which paybill it is, and was imported as another one’s by mistake, is of the right one too, once', async () => {
    await sql`
      WITH partner AS (INSERT INTO partners (name) VALUES ('Duka') RETURNING id)
      INSERT INTO partner_accounts (partner_id, shortcode, transaction_type, party_b, consumer_key_sealed,
        consumer_secret_sealed, passkey_sealed)
      SELECT id, '600777', 'CustomerPayBillOnline', '600777', '', '', '' FROM partner
    `.execute(own.database)
    const file = await statementFixture('columns-only.csv')
    const mistaken = await importFile(own.database, file, { shortcode: '600123' })
    const right = await importFile(own.database, file, { shortcode: '600777' })
    expect(right).toMatchObject({
      alreadyImported: false,
      statement: { shortcode: '600777', paidLines: 2, knownLines: 0 },
    })
    for (const [shortcode, { statement }] of [
      ['600123', mistaken],
      ['600777', right],
      [undefined, mistaken],
    ] as const)
      expect(
        await importFile(own.database, file, shortcode === undefined ? {} : { shortcode }),
      ).toMatchObject({
        alreadyImported: true,
        statement: { statementId: statement?.statementId },
      })
  })

  it.each([
    ['broken in its middle', `${statementOf([line(1), line(2)])}\r\n"TKQ0000003","25-11-2026 1`, /^line 8: /],
    [
      'of a transfer account',
      statementOf([line(1)]).replace('Utility Account', 'Organization Settlement Account'),
      /not the account that payers pay into/,
    ],
    [
      'of sums that no account holds',
      statementOf(Array.from({ length: 100 }, (_one, index) => line(index, { paidIn: '999999999999' }))),
      /^line 9\d: brings the sum above what any account holds/,
    ],
    [
      'of another paybill',
      statementOf([line(1)]).replace('600123', '999999'),
      /^no account here has the shortcode 999999/,
    ],
    [
      'with day and month exchanged',
      statementOf([line(1, { at: '2026-12-10T09:00:00Z' })]),
      /^line 6, Completion Time: lies outside the period/,
    ],
  ])('of a file %s nothing is stored, and a sentence says why', async (_what, file, problem) => {
    const before = await counts()
    const refused = importFile(own.database, file)
    await expect(refused).rejects.toThrow(problem)
    await expect(refused).rejects.toThrow(/; nothing was stored$/)
    expect(await counts()).toEqual(before)
  })

  it('does not double what overlapping statements have, also when there is more than fits into one batch', async () => {
    const lines = Array.from({ length: 2_500 }, (_one, index) => line(index + 100))
    const first = await importFile(own.database, statementOf(lines.slice(0, 1_500)))
    expect(first).toMatchObject({ statement: { paidLines: 1_500, knownLines: 0 } })
    const second = await importFile(own.database, statementOf(lines))
    expect(second).toMatchObject({
      statement: { paidLines: 2_500, knownLines: 1_500 },
      exceptions: [{ kind: 'unknown_here', exceptions: 1_000, open: 1_000 }],
    })
  })

  it('takes parts where the file ends, the same part twice, and no others', async () => {
    const service = statementsOf(own.database)
    const uploadId = randomUUID()
    const part = (at: number, text: string) =>
      service.uploadStatementPart({ uploadId, at: BigInt(at), content: Buffer.from(text) })
    expect(await part(0, 'abc')).toMatchObject({ size: 3n })
    expect(await part(0, 'abc')).toMatchObject({ size: 3n })
    await expect(part(0, 'abd')).rejects.toThrow('the next part of the file begins at 3: nothing was changed')
    await expect(part(7, 'x')).rejects.toThrow('begins at 3')
    expect(await part(3, 'def')).toMatchObject({ size: 6n })
    await expect(part(6, '')).rejects.toThrow(/^content must have 1 to 131072 bytes/)
    await expect(service.uploadStatementPart({ uploadId: 'x' })).rejects.toThrow(/^upload_id must be a UUID/)
    await sql`UPDATE statement_uploads SET uploaded_at = now() - interval '25 hours'`.execute(own.database)
    await service.uploadStatementPart({ uploadId: randomUUID(), at: 0n, content: Buffer.from('z') })
    // As `serve` does, whether or not anybody hands over another.
    const forgetting = startForgettingUploads({ database: own.database, log: quietLog })
    await vi.waitFor(async () => expect(await counts()).toMatchObject({ parts: 1 }))
    await forgetting.stop()
    await expect(service.importStatement({ uploadId, fileName: 'x.csv' })).rejects.toThrow(
      /^no file was handed over/,
    )
  })

  it('takes a part that comes several times at once, and no other in its place', async () => {
    const service = statementsOf(own.database)
    for (let round = 0; round < 5; round += 1) {
      const uploadId = randomUUID()
      const part = (text: string) =>
        service.uploadStatementPart({ uploadId, at: 0n, content: Buffer.from(text) })
      expect(await Promise.all(['abc', 'abc', 'abc'].map(part))).toMatchObject([
        { size: 3n },
        { size: 3n },
        { size: 3n },
      ])
      await expect(part('abd')).rejects.toThrow('the next part of the file begins at 3: nothing was changed')
    }
    await own.database.deleteFrom('statement_uploads').execute()
  })

  it('may read for longer between two statements of SQL than any other transaction', async () => {
    const database = connectDatabase({
      databaseUrl: own.url,
      poolSize: 2,
      log: quietLog,
      settings: { idle_in_transaction_session_timeout: '1s' },
    })
    const [uploadId, account] = [randomUUID(), { shortcode: SHORTCODE, partyB: SHORTCODE }]
    await putPayment(database, { state: 'failed', at: '2026-11-25T09:00:00Z' })
    await addPart(database, { uploadId, at: 0, content: Buffer.from(statementOf([line(8_000)])) })
    const referencesOf = () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
      return []
    }
    const imported = importStatement({
      database,
      uploadId,
      fileName: 'statement.csv',
      shortcode: null,
      defaultAccount: account,
      referencesOf,
      actor: testActor,
    })
    expect(await imported).toMatchObject({ kind: 'imported' })
    await database.destroy()
  })

  it('is refused while another is being imported', async () => {
    await own.database.transaction().execute(async (transaction) => {
      await sql`SELECT pg_advisory_xact_lock(hashtext('mpesa-gateway statements'))`.execute(transaction)
      await expect(importFile(own.database, statementOf([line(9_000)]))).rejects.toThrow(
        /^another statement is being imported/,
      )
    })
  })

  it('what does not fit is acknowledged, one or all of a kind, once, and written down', async () => {
    const service = statementsOf(own.database)
    const statement = (await importFile(own.database, statementOf([line(9_001), line(9_002), line(9_003)])))
      .statement
    const statementId = statement?.statementId ?? 0n
    const { exceptions } = await service.listStatementExceptions({ statementId, pageSize: 2 })
    expect(exceptions).toHaveLength(2)
    const exceptionId = exceptions[0]?.exceptionId
    const acknowledgeOne = () =>
      service.acknowledgeStatementExceptions({ exceptionId, note: 'at the counter' })
    expect(await acknowledgeOne()).toMatchObject({ acknowledged: 1 })
    expect(await acknowledgeOne()).toMatchObject({ acknowledged: 0 })
    const all = { statementId, kind: 'unknown_here', note: 'all at the counter' }
    expect(await service.acknowledgeStatementExceptions(all)).toMatchObject({ acknowledged: 2 })
    expect(await service.listStatementExceptions({ statementId, pageSize: 1 })).toMatchObject({
      exceptions: [{ state: 'acknowledged', note: 'at the counter', acknowledgedBy: 'a test' }],
    })
    expect(await service.listStatementExceptions({ statementId, openOnly: true })).toMatchObject({
      exceptions: [],
    })
    const { rows } = await sql`
      SELECT action, subject_kind, (after ->> 'exceptions')::int AS exceptions FROM audit ORDER BY id DESC LIMIT 2
    `.execute(own.database)
    expect(rows).toEqual([
      { action: 'acknowledged', subject_kind: 'statement', exceptions: 2 },
      { action: 'acknowledged', subject_kind: 'exception', exceptions: 1 },
    ])
    const wrong = (request: object) =>
      expect(service.acknowledgeStatementExceptions({ note: 'x', ...request })).rejects
    await wrong({ exceptionId: 999_999n }).toThrow('there is no exception 999999')
    await wrong({ statementId }).toThrow(/^exception_id must be given, or else statement_id and kind/)
    await wrong({ statementId, kind: 'odd' }).toThrow(/^kind must be one of paid_there/)
    await wrong({ exceptionId, note: '' }).toThrow(/^note /)
  })

  it('a payer is not erased while a statement is imported, whose lines nobody sees yet', async () => {
    const msisdn = parseMsisdn('254711222444')
    if (!msisdn.ok) throw new Error(msisdn.problem)
    const erase = () => erasePayer({ database: own.database, msisdn: msisdn.value, actor: testActor })
    await own.database.transaction().execute(async (transaction) => {
      await sql`SELECT pg_advisory_xact_lock(hashtext('mpesa-gateway statements'))`.execute(transaction)
      expect(await erase()).toEqual({ kind: 'importing' })
    })
    expect(await erase()).toMatchObject({ kind: 'erased' })
  })

  it('a payer is not erased where a statement was imported since the number was looked for', async () => {
    const msisdn = parseMsisdn('254711222445')
    if (!msisdn.ok) throw new Error(msisdn.problem)
    const payer = { msisdn: msisdn.value, actor: testActor }
    const held = await findHeld(own.database, msisdn.value)
    await importFile(own.database, statementOf([line(9_020, { account: msisdn.value })]))
    const erase = (found: Held) =>
      own.database.transaction().execute((transaction) => eraseWithin({ transaction, ...payer, held: found }))
    expect(await erase(held)).toEqual({ kind: 'importing' })
    expect(await erase(await findHeld(own.database, msisdn.value))).toMatchObject({ kind: 'erased' })
    expect(tablesWith(await dumpDatabase(own.database), '711222445')).toEqual([])
  })

  it('a payer’s number that somebody typed as an account number, or in a note, goes when the payer is erased', async () => {
    const number = '254711222333'
    await putPayment(own.database, { state: 'failed', at: '2026-11-20T09:00:00Z' })
    await importFile(
      own.database,
      statementOf([line(9_010, { account: number }), line(9_011, { account: '0711222333' })]),
    )
    const service = statementsOf(own.database)
    const { exceptions } = await service.listStatementExceptions({ pageSize: 1 })
    await service.acknowledgeStatementExceptions({
      exceptionId: exceptions[0]?.exceptionId,
      note: `asked ${number}`,
    })
    await service.uploadStatementPart({ uploadId: randomUUID(), at: 0n, content: Buffer.from(number) })
    const msisdn = parseMsisdn(number)
    if (!msisdn.ok) throw new Error(msisdn.problem)
    await erasePayer({ database: own.database, msisdn: msisdn.value, actor: testActor })
    expect(tablesWith(await dumpDatabase(own.database), '711222333')).toEqual([])
  })
})
