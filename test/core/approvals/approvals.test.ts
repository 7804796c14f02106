import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code } from '@connectrpc/connect'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOperator } from '../../../src/core/operators/operator.ts'
import { approvalMethods } from '../../../src/core/services/approval-methods.ts'
import { createOperatorClient } from '../../../src/core/services/operator-client.ts'
import { ApprovalService } from '../../../src/gen/mpesa/gateway/v1/approvals_pb.js'
import { PayerService } from '../../../src/gen/mpesa/gateway/v1/payers_pb.js'
import {
  PaymentOperationsService,
  type SettlePaymentRequestSchema,
} from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { type OperatorRole } from '../../../src/values/operator-role.ts'
import { SCOPES } from '../../../src/values/scope.ts'
import { testActor } from '../../support/actor.ts'
import { bearerOf, clientOver, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { openTestFolder } from '../../support/folder.ts'
import { acceptUntouched, readMoves, readPayment } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { importFile, SHORTCODE, statementOf } from '../statements/importing.ts'

describe('a change that needs four eyes', () => {
  let test: TestCore
  let transports: Transports
  let spool: Awaited<ReturnType<typeof openTestFolder>>
  let headers: Record<string, string>

  beforeAll(async () => {
    spool = await openTestFolder()
    const config = { operations: { fourEyes: true }, callbacks: { spoolFolder: spool.path } }
    test = await startTestCore({ config })
    transports = await startTransports(test)
    headers = { ...(await bearerOf(test.database, ...SCOPES)), 'x-operator': 'amina' }
    const roles: [string, OperatorRole][] = [
      ['amina', 'money'],
      ['wanjiku', 'money'],
      ['otieno', 'money'],
      ['juma', 'mend'],
    ]
    for (const [name, role] of roles) {
      const { randomBytes } = test.options
      await createOperator({
        database: test.database,
        actor: testActor,
        randomBytes,
        name,
        role,
        password: null,
      })
    }
  })
  afterAll(async () => {
    await transports.close()
    await test.stop()
    await spool.close()
  })
  beforeEach(async () => {
    await test.database.deleteFrom('approvals').execute()
  })

  /** What the operator does at a shell. */
  const as = (name: string) => {
    const { database } = test
    const client = createOperatorClient({
      service: ApprovalService,
      methods: approvalMethods,
      parts: { database, log: quietLog, spoolFolder: spool.path, onSettled: () => undefined },
      actor: { kind: 'operator', name, from: 'desk' },
    })
    return {
      list: async () => (await client.listApprovals({})).approvals,
      approve: async (approvalId: bigint) => (await client.approveChange({ approvalId })).done,
      refuse: (approvalId: bigint) => client.refuseChange({ approvalId }),
    }
  }

  const makeUnconfirmed = async (): Promise<bigint> => {
    const paymentId = await acceptUntouched(test.database, test.partnerId)
    const { database } = test
    await database.updateTable('payments').set({ state: 'unconfirmed' }).where('id', '=', paymentId).execute()
    await database.deleteFrom('to_submit').where('payment_id', '=', paymentId).execute()
    await database.insertInto('to_confirm').values({ payment_id: paymentId }).execute()
    return paymentId
  }

  const settle = (paymentId: bigint, otherwise: MessageInitShape<typeof SettlePaymentRequestSchema> = {}) => {
    const request = { paymentId, outcome: PaymentState.FAILED, reason: 'on the statement', ...otherwise }
    return clientOver(transports, PaymentOperationsService, 'gRPC').settlePayment(request, { headers })
  }

  const erase = (paymentId: bigint) =>
    clientOver(transports, PayerService, 'gRPC').erasePayer({ paymentId }, { headers })

  /** Asks for it through gRPC, as amina: the id of the approval. */
  const ask = async (change: Promise<unknown>): Promise<bigint> => {
    expect(await refusedWith(change)).toEqual([
      Code.FailedPrecondition,
      expect.stringMatching(/^nothing is changed yet: .* gateway approvals approve \d+$/),
    ])
    const [waiting] = await as('amina').list()
    return waiting?.approvalId ?? 0n
  }

  const stateOf = async (paymentId: bigint) => (await readPayment(test.database, paymentId)).state

  const actions = async (paymentId: bigint): Promise<string[]> => {
    const query = test.database.selectFrom('audit').select('action').where('subject_kind', '=', 'payment')
    const rows = await query.where('subject_id', '=', String(paymentId)).orderBy('id').execute()
    return rows.map(({ action }) => action)
  }

  it('is not made by gRPC but waits, and another operator makes it', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    expect(await stateOf(paymentId)).toBe('unconfirmed')
    expect(await as('juma').list()).toMatchObject([
      {
        approvalId: id,
        what: expect.stringContaining(`settle payment ${paymentId} (KES `),
        askedBy: 'amina',
      },
    ])
    expect(await as('wanjiku').approve(id)).toContain('is failed')
    expect(await stateOf(paymentId)).toBe('failed')
    expect(await actions(paymentId)).toEqual(['approval_asked', 'settled', 'approval_approved'])
    expect(await as('juma').list()).toEqual([])
  })

  it('is not made where whoever asked was shut out since, and can be refused then', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    const { database } = test
    const shutOut = (at: Date | null) =>
      database.updateTable('operators').set({ disabled_at: at }).where('name', '=', 'amina').execute()
    await shutOut(new Date())
    try {
      await expect(as('wanjiku').approve(id)).rejects.toThrow(
        `amina, who asked for approval ${id}, is disabled since: refuse it, and have it asked for again`,
      )
      expect(await stateOf(paymentId)).toBe('unconfirmed')
      await as('wanjiku').refuse(id)
      expect(await as('juma').list()).toEqual([])
    } finally {
      await shutOut(null)
    }
  })

  it('is shown by a dry run as ever, and nothing waits then', async () => {
    const { payment } = await settle(await makeUnconfirmed(), { validateOnly: true })
    expect(payment?.state).toBe(PaymentState.FAILED)
    expect(await as('juma').list()).toEqual([])
  })

  it('is not asked for where it cannot be made, nor twice', async () => {
    const paymentId = await makeUnconfirmed()
    await ask(settle(paymentId))
    await expect(settle(paymentId)).rejects.toThrow('waits for an approval already')
    await expect(settle(999_999n)).rejects.toThrow('there is no payment')
    expect(await as('juma').list()).toHaveLength(1)
  })

  it('is not taken for another one of the same payment that waits already', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    const paid = settle(paymentId, { outcome: PaymentState.SUCCESSFUL, receipt: 'UE00000017' })
    await expect(paid).rejects.toThrow(
      `another change waits for an approval, as ${id}, asked for by amina: settle payment ${paymentId} (KES`,
    )
    expect(await as('juma').list()).toHaveLength(1)
  })

  it('says whom it concerns and how much, and shows no whole number', async () => {
    const paymentId = await makeUnconfirmed()
    const { amount_kes } = await readPayment(test.database, paymentId)
    await ask(settle(paymentId, { reason: '0712345678 called', settleAnyway: true }))
    const [waiting] = await as('juma').list()
    expect(waiting?.what).toMatch(new RegExp(`\\(KES ${amount_kes}, .+\\) as failed; its partner is told$`))
    expect(waiting?.reason).toMatch(/ called$/)
    expect(waiting?.reason).not.toContain('0712345678')
  })

  it('says in spite of what it is made, and is not made in spite of what came up since', async () => {
    const paymentId = await makeUnconfirmed()
    const { database } = test
    await database
      .insertInto('to_query')
      .values({ payment_id: paymentId, due_at: new Date('2099-01-01T00:00:00Z') })
      .execute()
    const paid = { outcome: PaymentState.SUCCESSFUL, receipt: 'UE00000019', settleAnyway: true }
    const id = await ask(settle(paymentId, paid))
    const [waiting] = await as('juma').list()
    expect(waiting?.what).toMatch(
      `with receipt UE00000019, although payment ${paymentId} may be settled without you, for Daraja is asked for its outcome (next at 2099-01-01T00:00:00.000Z); its partner is told`,
    )
    const at = '2026-11-25T09:00:20Z'
    const { statement } = await importFile(
      database,
      statementOf([
        { receipt: 'UE00000019', at, paidIn: '1' },
        { receipt: 'UE00000020', at, paidIn: '', withdrawn: '1', linked: 'UE00000019', reason: 'Reversal' },
      ]),
      { shortcode: SHORTCODE },
    )
    await expect(as('wanjiku').approve(id)).rejects.toThrow(
      `statement ${statement?.statementId} of M-PESA says that UE00000019 was reversed`,
    )
    expect(await stateOf(paymentId)).toBe('unconfirmed')
    await expect(settle(paymentId, paid)).rejects.toThrow(`another change waits for an approval, as ${id}`)
    await as('wanjiku').refuse(id)
    expect(await as('wanjiku').approve(await ask(settle(paymentId, paid)))).toContain('is successful')
  })

  it('says that nobody is told where only the receipt of a paid payment is filled in', async () => {
    const paymentId = await makeUnconfirmed()
    await test.database
      .updateTable('payments')
      .set({ state: 'successful' })
      .where('id', '=', paymentId)
      .execute()
    await ask(settle(paymentId, { outcome: PaymentState.SUCCESSFUL, receipt: 'UE00000018' }))
    const [waiting] = await as('juma').list()
    expect(waiting?.what).toMatch(
      new RegExp(
        `^fill in receipt UE00000018 of payment ${paymentId} \\(KES .+\\); it is paid already, and nobody is told$`,
      ),
    )
  })

  it('is not approved by the one who asked, nor by another role, nor by a name that is no operator', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    for (const name of ['amina', 'juma', 'nobody']) {
      await expect(as(name).approve(id)).rejects.toThrow(name)
      await expect(as(name).refuse(id)).rejects.toThrow(name)
    }
    expect(await stateOf(paymentId)).toBe('unconfirmed')
  })

  it('is not made once it has expired, and may be asked for again', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    await test.database
      .updateTable('approvals')
      .set({ expires_at: new Date(0) })
      .execute()
    await expect(as('wanjiku').approve(id)).rejects.toThrow('has expired')
    expect(await stateOf(paymentId)).toBe('unconfirmed')
    expect(await ask(settle(paymentId))).not.toBe(id)
  })

  it('is made once when two approve at once', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    const both = await Promise.allSettled([as('wanjiku').approve(id), as('otieno').approve(id)])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await readMoves(test.database, paymentId)).toHaveLength(1)
    expect((await actions(paymentId)).filter((action) => action === 'settled')).toHaveLength(1)
  })

  it('is decided once when one approves and another refuses at once', async () => {
    const id = await ask(settle(await makeUnconfirmed()))
    const both = await test.database.transaction().execute(async (transaction) => {
      await transaction.selectFrom('approvals').select('id').where('id', '=', id).forUpdate().execute()
      const deciding = Promise.allSettled([as('wanjiku').approve(id), as('otieno').refuse(id)])
      await eventually(async () => expect(await waitingForLocks()).toBe(2))
      return { deciding }
    })
    const statuses = (await both.deciding).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  const waitingForLocks = async (): Promise<number> => {
    const { rows } = await sql<{ count: bigint }>`
      SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    `.execute(test.database)
    return Number(rows[0]?.count ?? 0n)
  }

  it('is not made when it was refused', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    await as('wanjiku').refuse(id)
    expect(await actions(paymentId)).toEqual(['approval_asked', 'approval_refused'])
    await expect(as('otieno').approve(id)).rejects.toThrow('was refused by wanjiku')
    expect(await stateOf(paymentId)).toBe('unconfirmed')
  })

  it('is not made where the payment has changed meanwhile, and stays open', async () => {
    const paymentId = await makeUnconfirmed()
    const id = await ask(settle(paymentId))
    await test.database
      .updateTable('payments')
      .set({ state: 'successful' })
      .where('id', '=', paymentId)
      .execute()
    await expect(as('wanjiku').approve(id)).rejects.toThrow('is successful and cannot become failed')
    expect(await as('juma').list()).toMatchObject([{ approvalId: id }])
    expect(await actions(paymentId)).toEqual(['approval_asked'])
  })

  it('erases a payer once another operator approves, and keeps no number while it waits', async () => {
    const paymentId = await makeUnconfirmed()
    const msisdn = '254711999888'
    await failWith(paymentId, msisdn)
    const id = await ask(erase(paymentId))
    expect((await readPayment(test.database, paymentId)).msisdn).toBe(msisdn)
    expect(await keptOfApprovals()).not.toContain(msisdn)
    expect(await as('wanjiku').approve(id)).toContain('erased from 1 payments')
    expect((await readPayment(test.database, paymentId)).msisdn).not.toBe(msisdn)
  })

  it('does not erase a payer who has an open payment meanwhile', async () => {
    const [paymentId, later] = [await makeUnconfirmed(), await makeUnconfirmed()]
    const msisdn = '254711999777'
    await failWith(paymentId, msisdn)
    const id = await ask(erase(paymentId))
    await test.database.updateTable('payments').set({ msisdn }).where('id', '=', later).execute()
    await expect(as('wanjiku').approve(id)).rejects.toThrow(`payment ${later} is open`)
    expect((await readPayment(test.database, paymentId)).msisdn).toBe(msisdn)
  })

  it('has a number that somebody wrote as the reason blanked with its payer', async () => {
    const [paymentId, other] = [await makeUnconfirmed(), await makeUnconfirmed()]
    const msisdn = '254711999666'
    await failWith(paymentId, msisdn)
    await ask(settle(other, { reason: `${msisdn} called` }))
    expect(await keptOfApprovals()).toContain(msisdn)
    await ask(erase(paymentId))
    const id = (await as('juma').list()).find(({ kind }) => kind === 'erase_payer')?.approvalId ?? 0n
    await as('wanjiku').approve(id)
    expect(await keptOfApprovals()).not.toContain(msisdn)
  })

  const failWith = async (id: bigint, msisdn: string): Promise<void> => {
    await test.database
      .updateTable('payments')
      .set({ state: 'failed', msisdn })
      .where('id', '=', id)
      .execute()
  }

  const keptOfApprovals = async (): Promise<string> => {
    const { rows } = await sql<{ row: string }>`SELECT a::text AS row FROM approvals a`.execute(test.database)
    return rows.map(({ row }) => row).join()
  }
})
