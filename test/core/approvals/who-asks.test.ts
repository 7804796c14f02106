import { Code } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOperator, setDisabled } from '../../../src/core/operators/operator.ts'
import { PayerService } from '../../../src/gen/mpesa/gateway/v1/payers_pb.js'
import { PaymentOperationsService } from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { testActor } from '../../support/actor.ts'
import { bearerOf, clientOver, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { openTestFolder } from '../../support/folder.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

// Two people are told apart by their names, so each must have one that is an operator's, wherever it asks.

/** A payer all of whose payments have ended. */
const ENDED = '254711999555'

describe('who asks for a change that another decides', () => {
  let test: TestCore
  let transports: Transports
  let spool: Awaited<ReturnType<typeof openTestFolder>>
  let token: Record<string, string>
  let paymentId: bigint

  beforeAll(async () => {
    spool = await openTestFolder()
    const config = { operations: { fourEyes: true }, callbacks: { spoolFolder: spool.path } }
    test = await startTestCore({ config })
    transports = await startTransports(test)
    token = await bearerOf(test.database, 'payments:manage', 'payers:manage')
    const { database } = test
    const given = { database, actor: testActor, randomBytes: test.options.randomBytes, password: null }
    await createOperator({ ...given, name: 'juma', role: 'look' })
    const gone = await createOperator({ ...given, name: 'otieno', role: 'money' })
    const operatorId = gone?.operatorId ?? 0n
    await setDisabled({ database, operatorId, actor: testActor, disabled: true })
    paymentId = await acceptUntouched(database, test.partnerId)
    const ended = await acceptUntouched(database, test.partnerId)
    await database
      .updateTable('payments')
      .set({ state: 'failed', msisdn: ENDED })
      .where('id', '=', ended)
      .execute()
  })
  afterAll(async () => {
    await transports.close()
    await test.stop()
    await spool.close()
  })

  const settle = (headers: Record<string, string>, validateOnly = false) => {
    const reason = 'on the statement'
    const request = { paymentId, outcome: PaymentState.FAILED, reason, settleAnyway: true, validateOnly }
    return clientOver(transports, PaymentOperationsService, 'gRPC').settlePayment(request, {
      headers: { ...token, ...headers },
    })
  }

  const erase = (headers: Record<string, string>) =>
    clientOver(transports, PayerService, 'gRPC').erasePayer(
      { msisdn: ENDED },
      { headers: { ...token, ...headers } },
    )

  const countAsked = async (): Promise<number> =>
    (await test.database.selectFrom('approvals').select('id').execute()).length

  it('is not a token that names nobody', async () => {
    expect(await refusedWith(settle({}))).toEqual([
      Code.InvalidArgument,
      'x-operator must name the operator who asks, as metadata',
    ])
    expect(await countAsked()).toBe(0)
  })

  it.each([
    ['no operator', 'amina'],
    ['disabled', 'otieno'],
    ['called in another way', 'Juma'],
  ])('is nobody who is %s', async (_why, name) => {
    for (const ask of [settle, erase])
      expect(await refusedWith(ask({ 'x-operator': name }))).toEqual([
        Code.FailedPrecondition,
        `${name} is no operator, or is disabled; name one of gateway operators list in x-operator, as metadata`,
      ])
    expect(await countAsked()).toBe(0)
  })

  it('may be an operator of any role, for another with the role money decides', async () => {
    expect(await refusedWith(settle({ 'x-operator': 'juma' }))).toEqual([
      Code.FailedPrecondition,
      expect.stringContaining('nothing is changed yet'),
    ])
    expect(await countAsked()).toBe(1)
  })

  it('need not be named where nothing is asked for: a dry run shows what would be', async () => {
    const { payment } = await settle({}, true)
    expect(payment?.state).toBe(PaymentState.FAILED)
  })
})
