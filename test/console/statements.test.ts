import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importFile, putPayment, referencesOf, statementOf } from '../core/statements/importing.ts'
import { sumAll } from '../support/sum-all.ts'
import { openConsole, type TestConsole } from './harness.ts'

describe('the pages about statements', () => {
  let test: TestConsole
  let paymentId: bigint

  beforeAll(async () => {
    test = await openConsole()
    paymentId = await putPayment(test.database, { state: 'failed', at: '2026-11-25T09:00:00Z' })
    await putPayment(test.database, {
      state: 'successful',
      at: '2026-11-25T10:00:00Z',
      receipt: 'TKP0000005',
    })
    const at = '2026-11-25T09:00:20Z'
    const account = referencesOf({ id: paymentId, reference: null, callback_nonce: null })[0]?.reference ?? ''
    const lines = [
      { receipt: 'TKP0000001', at, account },
      { receipt: 'TKP0000002', at, account: '<b>rent</b>' },
      { receipt: 'TKP0000005', at: '2026-11-25T10:00:20Z' },
    ]
    await importFile(test.database, statementOf(lines))
  })
  afterAll(() => test.stop())

  it('list them, show one with what does not fit, and lead to it', async () => {
    const looking = await test.as('look')
    expect((await looking.get('/statements')).body).toContain('href="/statements/1"')
    const one = (await looking.get('/statements/1')).body
    expect(one).toContain('href="/statement-exceptions?statement=1&amp;kind=paid_there"')
    expect((await looking.get('/statements/999')).status).toBe(404)
    expect((await looking.get('/statements/x')).status).toBe(404)
    expect((await looking.get('/statements?format=csv')).body).toContain('1,600123,2026-11-24T21:00:00.000Z')
  })

  it('say what is so and what is done, as text', async () => {
    const looking = await test.as('look')
    const { body } = await looking.get('/statement-exceptions?open=yes')
    expect(body).toContain(
      `Payment ${paymentId} is failed here, but M-PESA has KES 150 for it under TKP0000001`,
    )
    expect(body).toContain(`href="/payments/${paymentId}"`)
    expect(body).not.toContain('<b>rent</b>')
    expect(body).toContain('href="/exceptions"')
    const csv = (await looking.get('/statement-exceptions?kind=unknown_here&format=csv')).body
    expect(csv.trim().split('\n')).toHaveLength(2)
  })

  it('let who may mend say what it is, and nobody else', async () => {
    const form = { note: 'paid at the counter' }
    const [looking, mending] = [await test.as('look'), await test.as('mend')]
    expect((await looking.post('/statement-exceptions/1/acknowledge', form)).status).toBe(403)
    expect((await mending.post('/statement-exceptions/1/acknowledge', { note: '' })).status).toBe(422)
    const done = await mending.post('/statement-exceptions/1/acknowledge', form)
    expect(done).toMatchObject({ status: 303, location: '/statement-exceptions' })
    expect((await mending.get('/statement-exceptions')).body).toContain('mend: paid at the counter')
    const all = { statement: '1', kind: 'unknown_here', note: 'all of them' }
    expect(await mending.post('/statement-exceptions/acknowledge', all)).toMatchObject({ status: 303 })
    expect((await mending.get('/statement-exceptions?open=yes')).body).not.toContain(
      'no payment here has that receipt',
    )
  })

  it('import a statement, once, in the name of who sent it, and refuse what is none', async () => {
    const [looking, mending] = [await test.as('look'), await test.as('mend')]
    // Long enough to come in many pieces.
    const lines = Array.from({ length: 3_000 }, (_one, index) => ({
      receipt: `TKQ${String(index).padStart(7, '0')}`,
      at: '2026-11-25T12:00:00Z',
    }))
    const file = new File([statementOf(lines)], 'november.csv')
    expect((await looking.get('/statements')).body).not.toContain('type="file"')
    expect((await looking.upload('/statements/import', {}, file)).status).toBe(403)
    expect((await mending.get('/statements')).body).toContain('enctype="multipart/form-data"')
    const done = await mending.upload('/statements/import', { shortcode: '' }, file)
    expect(done).toMatchObject({ status: 303, location: '/statements/2' })
    const { body } = await mending.get('/statements/2')
    expect(body).toContain('Statement 2 is imported.')
    expect(body).toMatch(/november\.csv[^]*by mend/)
    expect(body).toContain('>3000<')
    expect((await mending.upload('/statements/import', {}, file)).location).toBe('/statements/2')
    expect((await mending.get('/statements/2')).body).toContain('nothing was changed')
    const audited = await test.database
      .selectFrom('audit')
      .select(['actor_name', 'subject_id'])
      .where('subject_kind', '=', 'statement')
      .where('action', '=', 'imported')
      .orderBy('id', 'desc')
      .executeTakeFirst()
    expect(audited).toMatchObject({ actor_name: 'mend', subject_id: '2' })
    const refusals: [file: File | null, fields: Record<string, string>, why: string][] = [
      [new File(['no statement'], '<b>.csv'), {}, 'nothing was stored'],
      [new File([''], 'empty.csv'), {}, 'The file is empty'],
      [null, {}, 'Choose a file'],
      [file, { shortcode: '12' }, 'shortcode must be a paybill or till'],
    ]
    for (const [wrong, fields, why] of refusals) {
      const refused = await mending.upload('/statements/import', fields, wrong)
      expect([why, refused.status]).toEqual([why, 422])
      expect(refused.body).toContain(why)
      expect(refused.body).not.toContain('<b>.csv')
    }
    const stranger = await mending.post('/statements/import', { shortcode: '' })
    expect(stranger.status).toBe(422)
  })

  it('show no payer’s number whole: not in a note, and not in the name of a file, nor as CSV', async () => {
    const mending = await test.as('mend')
    const number = '00254712345678'
    const file = new File(
      [statementOf([{ receipt: 'TKP0000003', at: '2026-11-25T11:00:00Z', account: number }])],
      `till ${number}.csv`,
    )
    const { location } = await mending.upload('/statements/import', { shortcode: '' }, file)
    const statementId = location?.split('/').at(-1) ?? ''
    const list = `/statement-exceptions?statement=${statementId}`
    const all = { statement: statementId, kind: 'unknown_here', note: `asked 0712345678, ${number}` }
    await mending.post('/statement-exceptions/acknowledge', all)
    const pages = [list, `${list}&format=csv`, location ?? '', '/statements', '/statements?format=csv']
    const bodies = await Promise.all(pages.map(async (page) => (await mending.get(page)).body))
    expect(bodies.join('\n')).not.toContain('712345678')
    for (const body of bodies.slice(0, 2)) expect(body).toContain('asked 0712*****678, 0025*****678')
    expect(bodies[2]).toContain('till 0025*****678.csv')
  })

  it('sum what was paid, of the last 31 days where none are given', async () => {
    const looking = await test.as('look')
    expect((await looking.get('/statements/totals')).body).toContain('is still being summed by serve')
    await sumAll(test.database)
    const usual = await looking.get('/statements/totals')
    expect(usual.body).toContain('payments, KES')
    const [from = '', to = ''] = [...usual.body.matchAll(/type="date" value="([\d-]+)"/g)].map(
      ([, day]) => day,
    )
    expect((Date.parse(to) - Date.parse(from)) / 86_400_000).toBe(30)
    const address = '/statements/totals?from=2026-11-25&to=2026-11-25&by=day'
    expect((await looking.get(address)).body).toMatch(/1 payments, KES 150 in all.*Summed up to /s)
    expect((await looking.get(`${address}&format=csv`)).body).toContain('2026-11-25,1,150')
    expect((await looking.get('/statements/totals?from=2026-11-25&to=2026-11-01')).status).toBe(422)
  })

  it('lead to settling what is to be settled, and nothing else', async () => {
    const looking = await test.as('look')
    const list = async () => (await looking.get('/statement-exceptions?open=yes&kind=paid_there')).body
    const id = await putPayment(test.database, { state: 'failed', at: '2026-11-25T13:00:00Z' })
    const at = '2026-11-25T13:00:20Z'
    const account = referencesOf({ id, reference: null, callback_nonce: null })[0]?.reference ?? ''
    await importFile(test.database, statementOf([{ receipt: 'TKP0000011', at, account }]))
    expect(await list()).toContain('Settle it</a>')
    const back = { receipt: 'TKP0000018', at, paidIn: '', withdrawn: '50', linked: 'TKP0000011' }
    await importFile(test.database, statementOf([{ ...back, reason: 'Payment Reversal' }]))
    expect(await list()).toContain('M-PESA gave KES 50 back of what TKP0000011 paid')
    expect(await list()).not.toContain('Settle it</a>')
  })
})
