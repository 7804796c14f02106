import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createOperator } from '../../../src/core/operators/operator.ts'
import { approvalMethods } from '../../../src/core/services/approval-methods.ts'
import { askApproval } from '../../../src/core/services/ask-approval.ts'
import { createOperatorClient } from '../../../src/core/services/operator-client.ts'
import { ApprovalService } from '../../../src/gen/mpesa/gateway/v1/approvals_pb.js'
import { testIdOf } from '../../../src/values/test-partner.ts'
import { testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addPartner } from '../../support/partner.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { toldOf } from './told.ts'

const WANJIKU = { kind: 'operator', name: 'wanjiku', from: 'desk' } as const

let own: OpenDatabase
let partnerId: bigint

beforeAll(async () => {
  own = await openTestDatabase()
  partnerId = (await addPartner(own.database)).partnerId
  for (const name of ['amina', 'wanjiku'])
    await createOperator({
      database: own.database,
      actor: testActor,
      randomBytes,
      name,
      role: 'money',
      password: null,
    })
})
afterAll(() => own.close())
beforeEach(() => own.database.deleteFrom('approvals').execute())

/** As amina. */
const ask = async (paymentId: bigint): Promise<void> => {
  await askApproval(own.database, {
    kind: 'settle_payment',
    paymentId,
    parameters: { outcome: 'failed', receipt: null, reason: 'a test', anyway: true },
    actor: { kind: 'operator', name: 'amina', from: 'desk' },
  })
}

const askNew = async (): Promise<void> => ask(await acceptUntouched(own.database, partnerId))

const told = () => toldOf(own.database, 'approvals_waiting')

/** As if so much time had passed. */
const letPass = (hours: number) =>
  sql`
    UPDATE approvals SET asked_at = asked_at - make_interval(hours => ${hours}),
                         expires_at = expires_at - make_interval(hours => ${hours})
  `.execute(own.database)

it('approvals_waiting: how many, since when and until when; gone when they are decided', async () => {
  expect(await told()).toEqual([])
  await askNew()
  const [one] = await told()
  expect(one).toMatchObject({
    severity: 'look',
    count: 1,
    isMore: false,
    since: expect.any(Date),
    command: 'gateway approvals list',
    path: '/approvals',
  })
  expect(one?.text).toMatch(
    /^1 change waits for another operator: since \d\d:\d\d UTC, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/,
  )
  await askNew()
  const [both] = await told()
  expect(both).toMatchObject({ count: 2, since: one?.since })
  expect(both?.text).toMatch(/^2 changes wait for another operator: the oldest since .* UTC, until .* UTC\.$/)
  const decider = createOperatorClient({
    service: ApprovalService,
    methods: approvalMethods,
    parts: {
      database: own.database,
      log: quietLog,
      spoolFolder: '/nowhere',
      onSettled: () => undefined,
    },
    actor: WANJIKU,
  })
  const { approvals } = await decider.listApprovals({})
  const [first, second] = approvals.map(({ approvalId }) => approvalId)
  await decider.refuseChange({ approvalId: first ?? 0n })
  expect(await told()).toMatchObject([{ count: 1 }])
  await decider.approveChange({ approvalId: second ?? 0n })
  expect(await told()).toEqual([])
})

it('approvals_waiting: somebody is to act once half of the time is over; gone when they expired', async () => {
  await askNew()
  await letPass(11)
  expect(await told()).toMatchObject([{ severity: 'look' }])
  await letPass(2)
  expect(await told()).toMatchObject([{ severity: 'act' }])
  await letPass(11)
  expect(await told()).toEqual([])
})

it('approvals_waiting: not for test payments', async () => {
  await ask(await acceptUntouched(own.database, testIdOf(partnerId)))
  expect(await told()).toEqual([])
})

it('approvals_waiting: says that there are more than were counted', async () => {
  const paymentId = await acceptUntouched(own.database, partnerId)
  await sql`
    INSERT INTO approvals (kind, payment_id, parameters, asked_by)
    SELECT 'kind ' || number, ${paymentId}, '{}', 'amina' FROM generate_series(1, 60) number
  `.execute(own.database)
  const [one] = await told()
  expect(one).toMatchObject({ count: 50, isMore: true })
  expect(one?.text).toMatch(/^More than 50 changes wait /)
})
