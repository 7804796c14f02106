import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApprovalService } from '../../../src/gen/mpesa/gateway/v1/approvals_pb.js'
import { openConsole, type TestBrowser, type TestConsole } from '../../console/harness.ts'
import { bearerOf, clientOver, refusedWith } from '../../support/calls.ts'
import { typeCommand } from '../../support/command.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { TEST_SECRET_KEY } from '../../support/vault.ts'

describe('an approval whose day is over, though nobody asked for the change again', () => {
  let core: TestCore
  let transports: Transports
  let console: TestConsole
  let money: TestBrowser
  let expired: bigint
  let waiting: bigint

  beforeAll(async () => {
    core = await startTestCore({ config: { operations: { fourEyes: true } } })
    transports = await startTransports(core)
    console = await openConsole({
      on: { database: core.database, url: core.databaseUrl, close: async () => undefined },
      fourEyes: true,
    })
    money = await console.as('money')
    expired = await addApproval(new Date(Date.now() - 1))
    waiting = await addApproval(new Date(Date.now() + 3_600_000))
  })
  afterAll(async () => {
    await console.stop()
    await transports.close()
    await core.stop()
  })

  const addApproval = async (expiresAt: Date): Promise<bigint> => {
    const paymentId = await acceptUntouched(core.database, core.partnerId)
    const asked = { kind: 'erase_payer', payment_id: paymentId, parameters: '{}', asked_by: 'amina' } as const
    const { id } = await core.database
      .insertInto('approvals')
      .values({ ...asked, expires_at: expiresAt })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
  }

  const type = (...words: string[]) =>
    typeCommand(words, { DATABASE_URL: core.databaseUrl, SECRET_KEY: TEST_SECRET_KEY, FOUR_EYES: 'on' })

  it('is neither on the page nor counted on it, and cannot be decided there', async () => {
    const { body } = await money.get('/approvals')
    expect(body).toContain('1 waiting, oldest first')
    expect(body).toContain(`/approvals/${waiting}/approve`)
    expect(body).not.toContain(`/approvals/${expired}/approve`)
    expect(body).toContain('1<span class="unseen"> waits for you</span>')
    for (const verb of ['approve', 'refuse'])
      expect((await money.post(`/approvals/${expired}/${verb}`)).body).toContain(
        `approval ${expired} has expired: ask for the change again`,
      )
  })

  it('is not in the CSV', async () => {
    const { body } = await money.get('/approvals?format=csv')
    expect(body.trim().split('\n').slice(1)).toEqual([
      expect.stringMatching(new RegExp(`^${waiting},erase_payer,`)),
    ])
  })

  it('is neither listed nor decided over gRPC', async () => {
    const approvals = clientOver(transports, ApprovalService, 'gRPC')
    const headers = { ...(await bearerOf(core.database, 'approvals:manage')), 'x-operator': 'money' }
    const listed = await approvals.listApprovals({}, { headers })
    expect(listed.approvals.map(({ approvalId }) => approvalId)).toEqual([waiting])
    const decided = approvals.approveChange({ approvalId: expired }, { headers })
    expect((await refusedWith(decided))[1]).toContain('has expired')
  })

  it('is neither listed, nor decided, nor counted at a shell', async () => {
    const listed = await type('approvals', 'list', '--json')
    expect(JSON.parse(listed.stdout)).toMatchObject([{ approval_id: Number(waiting) }])
    const decided = await type('approvals', 'refuse', String(expired), '--by', 'money')
    expect(decided).toMatchObject({ code: 2, stderr: expect.stringContaining('has expired') })
    expect((await type('status')).stdout).toContain('1 change waits for another operator')
  })
})
