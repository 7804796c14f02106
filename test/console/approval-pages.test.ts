import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched, readPayment } from '../support/payments.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

describe('the page Approvals', () => {
  let test: TestConsole
  let money: TestBrowser
  let partnerId: bigint

  beforeAll(async () => {
    test = await openConsole({ fourEyes: true })
    money = await test.as('money')
    partnerId = (await addPartner(test.database)).partnerId
  })
  afterAll(() => test.stop())

  /** Asks on the page, as the operator `money`. */
  const ask = async (): Promise<bigint> => {
    const paymentId = await acceptUntouched(test.database, partnerId)
    const form = { outcome: 'failed', reason: 'on the statement', anyway: 'on' }
    const shown = await money.post(`/payments/${paymentId}/settle`, form)
    expect(shown.body).toContain('name="despite" value="may_settle_itself"')
    const confirmed = { ...form, despite: 'may_settle_itself', confirmed: 'yes' }
    const answer = await money.post(`/payments/${paymentId}/settle`, confirmed)
    expect(answer).toMatchObject({ status: 303, location: '/approvals' })
    expect((await money.get('/approvals')).body).toContain('nothing is changed yet: it waits')
    return paymentId
  }

  const idOf = async (paymentId: bigint): Promise<bigint> => {
    const query = test.database.selectFrom('approvals').select('id').where('payment_id', '=', paymentId)
    return (await query.executeTakeFirstOrThrow()).id
  }

  it('shows what will happen, and has no button for who asked', async () => {
    const paymentId = await ask()
    const { body } = await money.get('/approvals')
    expect(body).toContain('1 waiting, oldest first')
    expect(body).toContain(`settle payment ${paymentId} (KES `)
    expect(body).toContain('by another')
    expect(body).not.toContain('/approve"')
    const own = await money.post(`/approvals/${await idOf(paymentId)}/approve`)
    expect(own.body).toContain('another operator decides it')
    expect((await readPayment(test.database, paymentId)).state).toBe('accepted')
    expect((await (await test.as('look')).get('/approvals')).body).not.toContain('<th scope="col">Decide')
  })

  it('is a list as CSV too, with a link to it', async () => {
    const paymentId = await ask()
    expect((await money.get('/approvals')).body).toContain('href="/approvals?format=csv"')
    const { headers, body } = await (await test.as('look')).get('/approvals?format=csv')
    expect(headers.get('content-disposition')).toContain('filename="approvals-')
    expect(body).toContain('approval_id,kind,payment_id,what,reason,asked_by,asked_at,expires_at\n')
    expect(body).toContain(`,settle_payment,${paymentId},"settle payment ${paymentId} (KES `)
    expect(body).toMatch(
      /\) as failed, although payment \d+ may be settled without you, .+; its partner is told",on the statement,money,20/,
    )
  })

  it('makes what another asked for, or refuses it', async () => {
    const [first, second] = [await ask(), await ask()]
    await test.as('mend')
    await test.database.updateTable('approvals').set({ asked_by: 'mend' }).execute()
    const id = await idOf(first)
    expect((await money.get('/approvals')).body).toContain(`action="/approvals/${id}/approve"`)
    expect(await money.post(`/approvals/${id}/approve`)).toMatchObject({
      status: 303,
      location: '/approvals',
    })
    expect((await readPayment(test.database, first)).state).toBe('failed')
    await money.post(`/approvals/${await idOf(second)}/refuse`)
    expect((await readPayment(test.database, second)).state).toBe('accepted')
  })

  it('is named beside how many wait for who is signed in: those of others, with the role money', async () => {
    const besides = async (role: 'look' | 'mend' | 'money'): Promise<string | undefined> => {
      const { body } = await (await test.as(role)).get('/')
      const [, beside = ''] = /accesskey="8"[^>]*>Approvals(.*?)<\/a>/s.exec(body) ?? []
      return beside.replaceAll(/<[^>]+>/g, '').trim()
    }
    await test.database.deleteFrom('approvals').execute()
    await ask()
    expect(await besides('money')).toBe('')
    await test.database.updateTable('approvals').set({ asked_by: 'amina' }).execute()
    expect(await besides('money')).toBe('1 waits for you')
    await ask()
    await test.database.updateTable('approvals').set({ asked_by: 'amina' }).execute()
    expect(await besides('money')).toBe('2 wait for you')
    for (const role of ['look', 'mend'] as const) expect(await besides(role)).toBe('')
    await test.database
      .updateTable('approvals')
      .set({ expires_at: new Date(0) })
      .execute()
    expect(await besides('money')).toBe('')
  })
})
