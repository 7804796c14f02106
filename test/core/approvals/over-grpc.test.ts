import { Code, encodeBinaryHeader } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOperator } from '../../../src/core/operators/operator.ts'
import { ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.js'
import { ApprovalService } from '../../../src/gen/mpesa/gateway/v1/approvals_pb.js'
import { PaymentOperationsService } from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import type { OperatorRole } from '../../../src/values/operator-role.ts'
import { testActor } from '../../support/actor.ts'
import { bearerOf, clientOver, refusalOf, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { acceptUntouched, readPayment } from '../../support/payments.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

describe.each(['gRPC', 'Connect', 'gRPC-Web'] as const)('approvals over %s', (protocol) => {
  let test: TestCore
  let transports: Transports
  let asking: Record<string, string>
  let deciding: Record<string, string>

  beforeAll(async () => {
    test = await startTestCore({ config: { operations: { fourEyes: true } } })
    transports = await startTransports(test)
    asking = { ...(await bearerOf(test.database, 'payments:manage')), 'x-operator': 'amina' }
    deciding = await bearerOf(test.database, 'approvals:manage')
    const roles: [string, OperatorRole][] = [
      ['amina', 'money'],
      ['wanjiku', 'money'],
      ['Wanjikũ', 'money'],
      ['juma', 'mend'],
    ]
    const { randomBytes } = test.options
    for (const [name, role] of roles)
      await createOperator({
        database: test.database,
        actor: testActor,
        randomBytes,
        name,
        role,
        password: null,
      })
  })
  afterAll(async () => {
    await transports.close()
    await test.stop()
  })
  beforeEach(() => test.database.deleteFrom('approvals').execute())

  const approvals = () => clientOver(transports, ApprovalService, protocol)

  const settle = (paymentId: bigint) =>
    clientOver(transports, PaymentOperationsService, protocol).settlePayment(
      { paymentId, outcome: PaymentState.FAILED, reason: 'on the statement', settleAnyway: true },
      { headers: asking },
    )

  /** As amina; the payment, and what the refusal says that it waits as. */
  const ask = async () => {
    const paymentId = await acceptUntouched(test.database, test.partnerId)
    return { paymentId, approvalId: await approvalOf(settle(paymentId)) }
  }

  const approvalOf = async (asked: Promise<unknown>): Promise<bigint> => {
    const error = await refusalOf(asked)
    const [info] = error.findDetails(ErrorInfoSchema)
    expect([error.code, info?.reason]).toEqual([Code.FailedPrecondition, 'APPROVAL_NEEDED'])
    return BigInt(info?.metadata['approval_id'] ?? 0)
  }

  const as = (name: string) => ({ headers: { ...deciding, 'x-operator': name } })

  it('are listed in pages, and name what waits and who asked', async () => {
    const [first, second] = [await ask(), await ask()]
    const { nextAfter, ...page } = await approvals().listApprovals({ pageSize: 1 }, { headers: deciding })
    expect(page.approvals).toMatchObject([
      {
        approvalId: first.approvalId,
        kind: 'settle_payment',
        paymentId: first.paymentId,
        what: expect.stringMatching(
          `^settle payment ${first.paymentId} \\(KES .+\\) as failed, although payment ${first.paymentId} may be settled without you, for its payer is still to be prompted .+; its partner is told$`,
        ),
        reason: 'on the statement',
        askedBy: 'amina',
      },
    ])
    const last = await approvals().listApprovals({ after: nextAfter }, { headers: deciding })
    expect(last).toMatchObject({ approvals: [{ approvalId: second.approvalId }] })
    expect(last.nextAfter).toBeUndefined()
  })

  it('say in a detail what waits, the second time too', async () => {
    const { paymentId, approvalId } = await ask()
    expect(await approvalOf(settle(paymentId))).toBe(approvalId)
  })

  it('are approved by the operator whom the service names: the audit log has both', async () => {
    const { paymentId, approvalId } = await ask()
    const { done } = await approvals().approveChange({ approvalId }, as('wanjiku'))
    expect(done).toBe(`Payment ${paymentId} is failed. Its partner is notified.`)
    expect((await readPayment(test.database, paymentId)).state).toBe('failed')
    const query = test.database
      .selectFrom('audit')
      .select(['action', 'operator', 'actor_kind'])
      .where('subject_kind', '=', 'payment')
    const lines = await query.where('subject_id', '=', String(paymentId)).orderBy('id').execute()
    expect(lines).toEqual([
      { action: 'approval_asked', operator: 'amina', actor_kind: 'service' },
      { action: 'settled', operator: 'wanjiku', actor_kind: 'service' },
      { action: 'approval_approved', operator: 'wanjiku', actor_kind: 'service' },
    ])
  })

  it('are approved by an operator whose name is not ASCII, in metadata that gRPC encodes', async () => {
    const { paymentId, approvalId } = await ask()
    const named = encodeBinaryHeader(new TextEncoder().encode('Wanjikũ'))
    const headers = { ...deciding, 'x-operator-bin': named }
    const both = { ...headers, 'x-operator': 'wanjiku' }
    expect(await refusedWith(approvals().approveChange({ approvalId }, { headers: both }))).toEqual([
      Code.InvalidArgument,
      'x-operator-bin must name the same operator as x-operator, or one of them be left out',
    ])
    await approvals().approveChange({ approvalId }, { headers })
    const query = test.database.selectFrom('audit').select('operator').where('action', '=', 'settled')
    const line = await query.where('subject_id', '=', String(paymentId)).executeTakeFirst()
    expect(line).toEqual({ operator: 'Wanjikũ' })
  })

  it.each([
    ['no UTF-8', encodeBinaryHeader(Uint8Array.of(0xc3))],
    ['a control character', encodeBinaryHeader(new TextEncoder().encode('wan\u0000jiku'))],
    ['101 characters', encodeBinaryHeader(new TextEncoder().encode('ũ'.repeat(101)))],
  ])('are decided by nobody where the metadata is %s', async (_what, value) => {
    const headers = { ...deciding, 'x-operator-bin': value }
    const [code, message] = await refusedWith(approvals().approveChange({ approvalId: 1n }, { headers }))
    expect(code).toBe(Code.InvalidArgument)
    expect(message).toContain('x-operator-bin must be 1 to 100 printable characters in UTF-8')
  })

  it('are refused by the operator whom the service names, and not approved then', async () => {
    const { paymentId, approvalId } = await ask()
    await approvals().refuseChange({ approvalId }, as('wanjiku'))
    const late = approvals().approveChange({ approvalId }, as('wanjiku'))
    expect(await refusedWith(late)).toEqual([
      Code.FailedPrecondition,
      `approval ${approvalId} was refused by wanjiku`,
    ])
    expect((await readPayment(test.database, paymentId)).state).toBe('accepted')
  })

  it('are decided neither by the one who asked, nor by another role, nor by a token that names nobody', async () => {
    const { paymentId, approvalId } = await ask()
    const methods = [
      (options: { headers: Record<string, string> }) => approvals().approveChange({ approvalId }, options),
      (options: { headers: Record<string, string> }) => approvals().refuseChange({ approvalId }, options),
    ]
    for (const decide of methods) {
      for (const name of ['amina', 'juma', 'nobody'])
        expect(await refusedWith(decide(as(name)))).toEqual([
          Code.FailedPrecondition,
          expect.stringContaining(name),
        ])
      expect(await refusedWith(decide({ headers: deciding }))).toEqual([
        Code.InvalidArgument,
        'x-operator must name the operator who decides, as metadata',
      ])
    }
    expect((await readPayment(test.database, paymentId)).state).toBe('accepted')
  })

  it('that there are not are not found', async () => {
    expect(await refusedWith(approvals().approveChange({ approvalId: 999_999n }, as('wanjiku')))).toEqual([
      Code.NotFound,
      'there is no approval 999999',
    ])
  })
})
