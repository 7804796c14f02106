import type { DescService } from '@bufbuild/protobuf'
import { Code } from '@connectrpc/connect'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AccountService, TransactionType } from '../../../src/gen/mpesa/gateway/v1/accounts_pb.js'
import { AuditService } from '../../../src/gen/mpesa/gateway/v1/audit_pb.js'
import { PayerService } from '../../../src/gen/mpesa/gateway/v1/payers_pb.js'
import { PaymentOperationsService } from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentService, PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { TokenService } from '../../../src/gen/mpesa/gateway/v1/tokens_pb.js'
import { SCOPES } from '../../../src/values/scope.ts'
import { bearerOf, clientOver, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addPartner } from '../../support/partner.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { importFile, statementOf } from '../statements/importing.ts'

// What operators do through internal services: each method once over native gRPC and over Connect, and what is wrong in each
// of its fields.

const PROTOCOLS = ['gRPC', 'Connect'] as const

let test: TestCore
let transports: Transports
let headers: Record<string, string>

beforeAll(async () => {
  test = await startTestCore()
  transports = await startTransports(test)
  headers = { ...(await bearerOf(test.database, ...SCOPES)), 'x-operator': 'amina' }
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const client = <Service extends DescService>(service: Service, protocol: string) =>
  clientOver(transports, service, protocol)

/** A payment that nobody knows the outcome of, and that nothing asks for. */
const makeUnconfirmed = async (partnerId = test.partnerId): Promise<bigint> => {
  const paymentId = await acceptUntouched(test.database, partnerId)
  await test.database
    .updateTable('payments')
    .set({ state: 'unconfirmed' })
    .where('id', '=', paymentId)
    .execute()
  await test.database.deleteFrom('to_submit').where('payment_id', '=', paymentId).execute()
  await test.database.insertInto('to_confirm').values({ payment_id: paymentId }).execute()
  return paymentId
}

const stateOf = async (paymentId: bigint): Promise<string | undefined> =>
  (await test.database.selectFrom('payments').select('state').where('id', '=', paymentId).executeTakeFirst())
    ?.state

const receiptOf = (paymentId: bigint): string => `R${String(paymentId).padStart(9, '0')}`

const countOf = async (
  table: 'audit' | 'deliveries' | 'service_tokens' | 'partner_accounts',
): Promise<number> => {
  const { rows } = await sql<{ count: bigint }>`SELECT count(*) FROM ${sql.table(table)}`.execute(
    test.database,
  )
  return Number(rows[0]?.count ?? 0n)
}

describe.each(PROTOCOLS)('payments, by operators through %s', (protocol) => {
  const operations = () => client(PaymentOperationsService, protocol)

  it('are read many at once, in the order asked; those that are not there are named', async () => {
    const payments = client(PaymentService, protocol)
    const [first, second] = [await makeUnconfirmed(), await makeUnconfirmed()]
    const paymentIds = [second, 999_999n, first, second]
    const found = await payments.batchGetPayments({ paymentIds }, { headers })
    expect(found.payments.map((payment) => payment.paymentId)).toEqual([second, first])
    expect(found.missingIds).toEqual([999_999n])
    const other = await addPartner(test.database, { name: 'Another' })
    const theirs = await payments.batchGetPayments({ paymentIds }, { headers: { 'x-api-key': other.apiKey } })
    expect(theirs).toMatchObject({ payments: [], missingIds: [second, 999_999n, first] })
    for (const wrong of [[], [0n], Array.from({ length: 1001 }, (_, index) => BigInt(index + 1))]) {
      expect(await refusedWith(payments.batchGetPayments({ paymentIds: wrong }, { headers }))).toEqual([
        Code.InvalidArgument,
        expect.stringMatching(/^payment_ids must be /),
      ])
    }
  })

  it('are listed while they are open, or overdue, in pages, and of one partner', async () => {
    const { partnerId } = await addPartner(test.database, { name: 'Of its own' })
    const [first, second] = [await makeUnconfirmed(partnerId), await makeUnconfirmed(partnerId)]
    const theirs = { headers: { ...headers, 'x-partner-id': String(partnerId) } }
    const page = await operations().listOpenPayments({ pageSize: 1 }, theirs)
    expect(page.payments.map((payment) => payment.paymentId)).toEqual([first])
    const next = await operations().listOpenPayments({ pageSize: 1, after: page.nextAfter }, theirs)
    expect(next.payments.map((payment) => payment.paymentId)).toEqual([second])
    expect(next.nextAfter).toBeUndefined()
    const overdue = () => operations().listOpenPayments({ overdueOnly: true }, theirs)
    expect((await overdue()).payments).toEqual([])
    await sql`UPDATE payments SET created_at = now() - interval '1 hour' WHERE id = ${second}`.execute(
      test.database,
    )
    expect((await overdue()).payments.map((payment) => payment.paymentId)).toEqual([second])
  })

  it('have a history, and findings that are listed by kind', async () => {
    const paymentId = await makeUnconfirmed()
    const detail = `${protocol}: 151 instead of 150`
    await test.database
      .insertInto('payment_findings')
      .values([
        { payment_id: paymentId, kind: 'different_amount', detail },
        { payment_id: paymentId, kind: 'different_payer', detail: 'another' },
      ])
      .execute()
    await operations().settlePayment(
      { paymentId, outcome: PaymentState.FAILED, reason: 'not on the statement' },
      { headers },
    )
    const history = await operations().getPaymentHistory({ paymentId }, { headers })
    expect(history.moves.at(-1)).toMatchObject({
      fromState: PaymentState.UNCONFIRMED,
      toState: PaymentState.FAILED,
      cause: 'operator',
      detail: 'not on the statement',
      operator: 'amina',
    })
    expect(history.findings).toHaveLength(2)
    const listed = await operations().listFindings({ kind: 'different_amount', pageSize: 1 }, { headers })
    expect(listed.findings).toMatchObject([{ paymentId, kind: 'different_amount', detail }])
    const all = await operations().listFindings({ pageSize: 1 }, { headers })
    expect(all.findings.map(({ kind }) => kind).toSorted()).toEqual(['different_amount', 'different_payer'])
    const { partnerId } = await addPartner(test.database, { name: 'Without any' })
    const another = { headers: { ...headers, 'x-partner-id': String(partnerId) } }
    expect((await operations().listFindings({}, another)).findings).toEqual([])
    expect(await refusedWith(operations().getPaymentHistory({ paymentId }, another))).toEqual([
      Code.NotFound,
      `there is no payment ${paymentId}`,
    ])
  })

  it('are settled by hand, after a look that changes nothing', async () => {
    const paymentId = await makeUnconfirmed()
    const request = {
      paymentId,
      outcome: PaymentState.SUCCESSFUL,
      receipt: receiptOf(paymentId),
      reason: 'on the statement',
    }
    const lines = await countOf('audit')
    const looked = await operations().settlePayment({ ...request, validateOnly: true }, { headers })
    expect(looked).toMatchObject({
      fromState: PaymentState.UNCONFIRMED,
      payment: { state: PaymentState.SUCCESSFUL, receipt: request.receipt },
    })
    expect([await stateOf(paymentId), await countOf('audit')]).toEqual(['unconfirmed', lines])
    await operations().settlePayment(request, { headers })
    expect([await stateOf(paymentId), await countOf('audit')]).toEqual(['successful', lines + 1])
    const again = await makeUnconfirmed()
    expect(
      await refusedWith(operations().settlePayment({ ...request, paymentId: again }, { headers })),
    ).toEqual([
      Code.FailedPrecondition,
      `${request.receipt} is the receipt of payment ${paymentId} already, and one receipt proves one payment; nothing was changed`,
    ])
    expect(await stateOf(again)).toBe('unconfirmed')
    const failed = { paymentId, outcome: PaymentState.FAILED, reason: 'a mistake' }
    expect(await refusedWith(operations().settlePayment(failed, { headers }))).toEqual([
      Code.FailedPrecondition,
      `payment ${paymentId} is successful and cannot become failed; nothing was changed`,
    ])
  })

  it('that are paid have the receipt filled in that they lack, and nobody is told', async () => {
    const paymentId = await makeUnconfirmed()
    const paid = { state: 'successful' as const, result_code: '0', transaction_date: new Date() }
    await test.database.updateTable('payments').set(paid).where('id', '=', paymentId).execute()
    const [receipt, lines, told] = [receiptOf(paymentId), await countOf('audit'), await countOf('deliveries')]
    const request = { paymentId, outcome: PaymentState.SUCCESSFUL, receipt, reason: 'on the statement' }
    const looked = await operations().settlePayment({ ...request, validateOnly: true }, { headers })
    expect(looked).toMatchObject({ receiptFilledIn: true, payment: { receipt } })
    expect(await countOf('audit')).toBe(lines)
    expect(await operations().settlePayment(request, { headers })).toMatchObject({
      receiptFilledIn: true,
      fromState: PaymentState.SUCCESSFUL,
      payment: { state: PaymentState.SUCCESSFUL, receipt },
    })
    expect([await countOf('audit'), await countOf('deliveries')]).toEqual([lines + 1, told])
    expect(await refusedWith(operations().settlePayment(request, { headers }))).toEqual([
      Code.FailedPrecondition,
      `payment ${paymentId} is successful and cannot become successful; nothing was changed`,
    ])
  })

  it('are left to Daraja’s answer while that is asked for, unless they are settled anyway', async () => {
    const paymentId = await makeUnconfirmed()
    await sql`
      INSERT INTO to_query (payment_id, due_at) VALUES (${paymentId}, now() + interval '1 hour')
    `.execute(test.database)
    const request = { paymentId, outcome: PaymentState.FAILED, reason: 'a test' }
    const [code, message] = await refusedWith(operations().settlePayment(request, { headers }))
    expect(code).toBe(Code.FailedPrecondition)
    expect(message).toMatch(/may be settled without you, for Daraja is asked .*; nothing was changed$/)
    expect(await stateOf(paymentId)).toBe('unconfirmed')
    const of = { ...request, settleDespite: ['reversed'] }
    expect((await refusedWith(operations().settlePayment(of, { headers })))[1]).toBe(message)
    const looked = { ...request, settleAnyway: true, validateOnly: true }
    const { doubts } = await operations().settlePayment(looked, { headers })
    expect(doubts).toMatchObject([
      {
        kind: 'may_settle_itself',
        what: expect.stringMatching(/for Daraja is asked for its outcome \(next at .*Z\)$/),
      },
    ])
    const settleDespite = doubts.map(({ kind }) => kind)
    await operations().settlePayment({ ...request, settleDespite }, { headers })
    expect(await stateOf(paymentId)).toBe('failed')
  })

  it('are not settled with a receipt that was reversed, as a statement says, unless they are anyway', async () => {
    const paymentId = await makeUnconfirmed()
    const receipt = receiptOf(paymentId)
    const { statement } = await importFile(
      test.database,
      statementOf([
        { receipt, at: '2026-11-25T09:00:20Z' },
        {
          receipt: 'TKP0000008',
          at: '2026-11-25T09:30:00Z',
          paidIn: '',
          withdrawn: '-150.00',
          reason: 'Payment Reversal',
          linked: receipt,
        },
      ]),
    )
    const request = { paymentId, outcome: PaymentState.SUCCESSFUL, receipt, reason: 'on the statement' }
    const refused = [
      Code.FailedPrecondition,
      `statement ${statement?.statementId} of M-PESA says that ${receipt} was reversed: its line TKP0000008 gave 150 KES back at 2026-11-25T09:30:00.000Z, and a reversed receipt proves no payment: settle it with a receipt that was not, or as failed, or say that it is settled anyway; nothing was changed`,
    ]
    for (const validateOnly of [true, false]) {
      expect(
        await refusedWith(operations().settlePayment({ ...request, validateOnly }, { headers })),
      ).toEqual(refused)
    }
    expect(await stateOf(paymentId)).toBe('unconfirmed')
    await operations().settlePayment({ ...request, settleAnyway: true }, { headers })
    expect(await stateOf(paymentId)).toBe('successful')
  })

  it.each([
    ['151', 'it asked for 151, so agree with its partner who owes what to whom'],
    ['150', 'settle it as successful with that receipt'],
  ])(
    'that asked for %s and were paid 150, as a statement says, are not settled as failed',
    async (asked, advice) => {
      const paymentId = await makeUnconfirmed()
      const { database } = test
      const amount = { amount_kes: Number(asked) }
      await database.updateTable('payments').set(amount).where('id', '=', paymentId).execute()
      const receipt = receiptOf(paymentId)
      const { statement } = await importFile(
        database,
        statementOf([{ receipt, at: '2026-11-25T09:00:20Z', paidIn: '150' }]),
      )
      await sql`UPDATE statement_lines SET payment_id = ${paymentId} WHERE receipt = ${receipt}`.execute(
        database,
      )
      const failed = { paymentId, outcome: PaymentState.FAILED, reason: 'a test' }
      expect((await refusedWith(operations().settlePayment(failed, { headers })))[1]).toBe(
        `statement ${statement?.statementId} of M-PESA has payment ${paymentId} as paid by ${receipt}, 150 KES: ${advice}, or say that it is settled anyway; nothing was changed`,
      )
    },
  )

  it.each([
    ['outcome must be SUCCESSFUL or FAILED', { outcome: PaymentState.ACCEPTED, reason: 'seen' }],
    ['receipt must be the ten letters', { outcome: PaymentState.SUCCESSFUL, reason: 'seen' }],
    ['receipt must be the ten', { outcome: PaymentState.SUCCESSFUL, receipt: 'short', reason: 'seen' }],
    ['a letter first', { outcome: PaymentState.SUCCESSFUL, receipt: '0712345678', reason: 'seen' }],
    ['receipt is for a success', { outcome: PaymentState.FAILED, receipt: 'UE4A11B2C3', reason: 'seen' }],
    ['reason must be 1 to 500', { outcome: PaymentState.FAILED, reason: ' ' }],
    ['payment_id must be a positive', { paymentId: 0n, outcome: PaymentState.FAILED, reason: 'seen' }],
  ])('are not settled otherwise: %s', async (problem, wrong) => {
    const paymentId = await makeUnconfirmed()
    expect(await refusedWith(operations().settlePayment({ paymentId, ...wrong }, { headers }))).toEqual([
      Code.InvalidArgument,
      expect.stringContaining(problem),
    ])
    expect(await stateOf(paymentId)).toBe('unconfirmed')
  })

  it('are not listed by what is wrong', async () => {
    const calls: [() => Promise<unknown>, string][] = [
      [() => operations().listOpenPayments({ pageSize: 1001 }, { headers }), 'page_size must be'],
      [() => operations().listOpenPayments({ after: 0n }, { headers }), 'after must be a positive id'],
      [() => operations().listFindings({ pageSize: -1 }, { headers }), 'page_size must be'],
      [() => operations().listFindings({ before: -1n }, { headers }), 'before must be a positive id'],
      [
        () => operations().listFindings({ kind: 'wrong_amount' }, { headers }),
        'kind must be one of failure_after',
      ],
      [() => operations().getPaymentHistory({}, { headers }), 'payment_id must be a positive'],
    ]
    for (const [call, problem] of calls) {
      expect(await refusedWith(call())).toEqual([Code.InvalidArgument, expect.stringContaining(problem)])
    }
  })
})

describe.each(PROTOCOLS)('accounts, through %s', (protocol) => {
  const accounts = () => client(AccountService, protocol)
  const SECRETS = { consumerKey: 'key', consumerSecret: 'hush-hush', passkey: 'passkey' }

  it('are set, listed without their secrets, asked about at Daraja, and ended', async () => {
    const { partnerId } = await addPartner(test.database, { name: 'Till' })
    const till = { shortcode: '600111', till: '600222', transactionType: TransactionType.TILL }
    const { accountId } = await accounts().setAccount({ partnerId, ...till, ...SECRETS }, { headers })
    const listed = await accounts().listAccounts({ partnerId }, { headers })
    expect(listed.accounts).toMatchObject([
      { accountId, partnerId, shortcode: '600111', partyB: '600222', transactionType: TransactionType.TILL },
    ])
    expect(JSON.stringify(listed.accounts, (_key, value: unknown) => String(value))).not.toContain('hush')
    const checked = await accounts().checkAccount({ partnerId }, { headers })
    expect(checked).toMatchObject({ shortcode: '600111', own: true })
    expect(checked.problem).toBeUndefined()
    expect(await accounts().endAccount({ partnerId }, { headers })).toMatchObject({ accountId })
    expect(await accounts().checkAccount({}, { headers })).toMatchObject({ shortcode: '174379', own: false })
    expect(await refusedWith(accounts().endAccount({ partnerId }, { headers }))).toEqual([
      Code.NotFound,
      `partner ${partnerId} has no account of its own`,
    ])
  })

  it.each([
    ['shortcode must be 5 to 8 digits', { shortcode: '6001' }],
    ['till must be 5 to 8 digits', { till: 'x' }],
    ['pull needs unique_reference', { pull: true }],
    ['pull_msisdn needs pull', { pullMsisdn: '254712345678' }],
    ['pull_msisdn must be 12 digits', { pull: true, uniqueReference: true, pullMsisdn: '0712' }],
    ['consumer_key must be 1 to 500', { consumerKey: '' }],
    ['consumer_secret must be 1 to 500', { consumerSecret: 'hush hush' }],
    ['passkey must be 1 to 500', { passkey: 'a\nb' }],
    ['partner_id must be a positive', { partnerId: -1n }],
  ])('are not set otherwise: %s', async (problem, wrong) => {
    const before = await countOf('partner_accounts')
    const request = { partnerId: test.partnerId, shortcode: '600111', ...SECRETS, ...wrong }
    expect(await refusedWith(accounts().setAccount(request, { headers }))).toEqual([
      Code.InvalidArgument,
      expect.stringContaining(problem),
    ])
    expect(await countOf('partner_accounts')).toBe(before)
  })

  it('are of partners that there are', async () => {
    const request = { partnerId: 999_999n, shortcode: '600111', ...SECRETS }
    const noPartner = [Code.NotFound, 'there is no partner 999999']
    expect(await refusedWith(accounts().setAccount(request, { headers }))).toEqual(noPartner)
    expect(await refusedWith(accounts().checkAccount({ partnerId: 999_999n }, { headers }))).toEqual(
      noPartner,
    )
  })
})

describe.each(PROTOCOLS)('tokens, through %s', (protocol) => {
  const tokens = () => client(TokenService, protocol)

  it('are made, used, listed in pages, and revoked', async () => {
    const made = await tokens().createToken({ name: 'ledger', scopes: ['tokens:manage'] }, { headers })
    const own = { headers: { authorization: `Bearer ${made.token}` } }
    const after = made.tokenId - 1n
    const { tokens: listed } = await tokens().listTokens({ pageSize: 1, after: after || undefined }, own)
    expect(listed).toMatchObject([
      { name: 'ledger', scopes: ['tokens:manage'], displayPrefix: made.token.slice(0, 12) },
    ])
    await tokens().revokeToken({ tokenId: made.tokenId }, { headers })
    expect(await refusedWith(tokens().revokeToken({ tokenId: made.tokenId }, { headers }))).toEqual([
      Code.NotFound,
      `there is no token ${made.tokenId}, or it was revoked already`,
    ])
  })

  it('give only what the token has that asks for them', async () => {
    const own = { headers: await bearerOf(test.database, 'tokens:manage', 'audit:read') }
    const before = await countOf('service_tokens')
    const more = { name: 'more', scopes: ['audit:read', 'payments:manage'] }
    expect(await refusedWith(tokens().createToken(more, own))).toEqual([
      Code.PermissionDenied,
      expect.stringContaining('lacks the scope payments:manage'),
    ])
    expect(await countOf('service_tokens')).toBe(before)
    await tokens().createToken({ name: 'less', scopes: ['audit:read'] }, own)
    expect(await countOf('service_tokens')).toBe(before + 1)
  })

  it.each([
    ['name must be 1 to 100', { name: '', scopes: ['audit:read'] }],
    ['scopes must be at least one of payments:read', { name: 'none', scopes: [] }],
    ['scopes must be at least one of', { name: 'unknown', scopes: ['audit:read', 'audit:write'] }],
  ])('are not made otherwise: %s', async (problem, wrong) => {
    const before = await countOf('service_tokens')
    expect(await refusedWith(tokens().createToken(wrong, { headers }))).toEqual([
      Code.InvalidArgument,
      expect.stringContaining(problem),
    ])
    expect(await countOf('service_tokens')).toBe(before)
  })
})

describe.each(PROTOCOLS)('the audit log, through %s', (protocol) => {
  const audit = () => client(AuditService, protocol)

  it('is listed, newest first, in pages', async () => {
    const { partnerId } = await addPartner(test.database, { name: 'Audited' })
    const secrets = { consumerKey: 'key', consumerSecret: 'secret', passkey: 'passkey' }
    const accounts = client(AccountService, protocol)
    await accounts.setAccount({ partnerId, shortcode: '600111', ...secrets }, { headers })
    await accounts.endAccount({ partnerId }, { headers })
    const page = await audit().listAuditEntries({ partnerId, pageSize: 1 }, { headers })
    expect(page.entries).toMatchObject([
      { action: 'ended', actor: expect.stringMatching(/^service \d+ \(desk\) for amina$/), partnerId },
    ])
    const before = page.nextBefore
    const next = await audit().listAuditEntries({ partnerId, subjectKind: 'account', before }, { headers })
    expect(next.entries).toMatchObject([{ action: 'set', after: { shortcode: '600111', pull: false } }])
    expect(next.nextBefore).toBeUndefined()
  })

  it.each([
    ['page_size must be', { pageSize: 1001 }],
    ['before must be a positive id', { before: 0n }],
    ['partner_id must be a positive', { partnerId: 0n }],
    ['subject_kind must be one of partner, key', { subjectKind: 'payments' }],
  ])('is not listed otherwise: %s', async (problem, wrong) => {
    expect(await refusedWith(audit().listAuditEntries(wrong, { headers }))).toEqual([
      Code.InvalidArgument,
      expect.stringContaining(problem),
    ])
  })
})

describe.each(PROTOCOLS)('a payer, through %s', (protocol) => {
  const payers = () => client(PayerService, protocol)

  it('is erased once nothing needs the number', async () => {
    const paymentId = await makeUnconfirmed()
    const msisdn = protocol === 'gRPC' ? '254700000001' : '254700000002'
    await test.database.updateTable('payments').set({ msisdn }).where('id', '=', paymentId).execute()
    expect(await refusedWith(payers().erasePayer({ msisdn }, { headers }))).toEqual([
      Code.FailedPrecondition,
      expect.stringContaining(`nothing was changed: payment ${paymentId} is open`),
    ])
    await test.database.updateTable('payments').set({ state: 'failed' }).where('id', '=', paymentId).execute()
    expect(await payers().erasePayer({ msisdn }, { headers })).toMatchObject({ payments: 1n })
  })

  it('is named by a payment as well, to be read and to be erased, and then not any more', async () => {
    const paymentId = await makeUnconfirmed()
    const msisdn = protocol === 'gRPC' ? '254700000003' : '254700000004'
    const change = { msisdn, state: 'failed' } as const
    await test.database.updateTable('payments').set(change).where('id', '=', paymentId).execute()
    const { records } = await payers().exportPayer({ paymentId }, { headers })
    expect(records[0]).toMatchObject({ kind: 'payment', fields: { id: Number(paymentId), msisdn } })
    expect(records).toEqual((await payers().exportPayer({ msisdn }, { headers })).records)
    expect(await payers().erasePayer({ paymentId }, { headers })).toMatchObject({ payments: 1n })
    for (const again of [
      () => payers().exportPayer({ paymentId }, { headers }),
      () => payers().erasePayer({ paymentId }, { headers }),
    ])
      expect(await refusedWith(again())).toEqual([
        Code.FailedPrecondition,
        `the payer of payment ${paymentId} was erased before`,
      ])
  })

  it.each([
    [{}, Code.InvalidArgument, 'msisdn must be given, or payment_id in its place'],
    [
      { msisdn: '254712345678', paymentId: 1n },
      Code.InvalidArgument,
      'payment_id must be left out where the number is given',
    ],
    [{ paymentId: 0n }, Code.InvalidArgument, 'payment_id must be a positive whole number'],
    [{ paymentId: 999_999n }, Code.NotFound, 'there is no payment 999999'],
  ])('is named by exactly one of the two: %o', async (request, code, message) => {
    expect(await refusedWith(payers().exportPayer(request, { headers }))).toEqual([code, message])
    expect(await refusedWith(payers().erasePayer(request, { headers }))).toEqual([code, message])
  })

  it('is not told a number that is none', async () => {
    const [code, message] = await refusedWith(payers().erasePayer({ msisdn: '0712345678' }, { headers }))
    expect([code, message]).toEqual([
      Code.InvalidArgument,
      'msisdn must be 12 digits that start with 2547 or 2541',
    ])
  })
})
