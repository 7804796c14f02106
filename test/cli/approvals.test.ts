import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched, readPayment } from '../support/payments.ts'

describe('gateway approvals', () => {
  let own: OpenDatabase

  beforeAll(async () => {
    own = await openTestDatabase()
  })
  afterAll(() => own.close())

  const type = (...words: string[]) => typeCommand(words, { DATABASE_URL: own.url, FOUR_EYES: 'on' })

  it('lists what was asked for by shell, and lets another operator approve it', async () => {
    const { partnerId } = await addPartner(own.database)
    const id = await acceptUntouched(own.database, partnerId)
    await type('operators', 'create', '--name', 'wanjiku', '--role', 'money')
    const settle = ['settle', String(id), '--outcome', 'failed', '--reason', 'on the statement', '--anyway']
    const asked = await type('payments', ...settle, '--by', 'wanjiku')
    expect(asked.stderr).toContain('nothing is changed yet: it waits')
    const listed = JSON.parse((await type('approvals', 'list', '--json')).stdout)
    expect(listed).toMatchObject([{ asked_by: 'wanjiku', reason: 'on the statement' }])
    const approval = String(listed[0].approval_id)
    expect((await type('approvals', 'approve', approval, '--by', 'wanjiku')).stderr).toContain(
      'another operator',
    )
    await type('operators', 'create', '--name', 'otieno', '--role', 'money')
    const approved = await type('approvals', 'approve', approval, '--by', 'otieno')
    expect(approved.stdout).toContain(`Payment ${id} is failed`)
    expect((await readPayment(own.database, id)).state).toBe('failed')
    expect((await type('approvals', 'list')).stdout).toContain('Nothing waits')
  })

  it('say how to say who one is where the user of the machine is no operator', async () => {
    const { partnerId } = await addPartner(own.database)
    const id = String(await acceptUntouched(own.database, partnerId))
    const settle = ['payments', 'settle', id, '--outcome', 'failed', '--reason', 'a test', '--anyway']
    for (const words of [settle, ['approvals', 'approve', '1']])
      expect(await type(...words)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(
          / is no operator, or is disabled; say who you are by --by NAME, one of gateway operators list\n$/,
        ),
      })
  })
})
