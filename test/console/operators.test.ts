import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openConsole, type TestConsole } from './harness.ts'

const MARKUP = '<img src=x onerror=alert(1)>"\'&'

describe('the pages about operators', () => {
  let test: TestConsole

  beforeAll(async () => {
    test = await openConsole()
  })
  afterAll(() => test.stop())

  it('make an operator whose name is text, whatever it is, and say who did it', async () => {
    const money = await test.as('money')
    const made = await money.post('/operators', { name: MARKUP, role: 'look' })
    expect(made.status).toBe(200)
    const [, code = ''] = /\/sign-in\/link#([\w-]{43})</.exec(made.body) ?? []
    const signedIn = test.stranger()
    expect((await signedIn.post('/sign-in/link', { code })).status).toBe(303)
    for (const page of [await money.get('/operators'), await signedIn.get('/'), await signedIn.get('/me')]) {
      expect(page.body).toContain('&lt;img src=x onerror=alert(1)&gt;')
      expect(page.body).not.toContain('<img src=x')
    }
    const line = await test.database
      .selectFrom('audit')
      .select(['actor_name', 'source', 'subject_kind'])
      .where('action', '=', 'created')
      .where('actor_name', '=', 'money')
      .execute()
    expect(line).toEqual([{ actor_name: 'money', source: '127.0.0.1', subject_kind: 'operator' }])
  })

  it('show the form again with what is wrong', async () => {
    const money = await test.as('money')
    const twice = await money.post('/operators', { name: 'money', role: 'look' })
    expect([twice.status, twice.body]).toEqual([
      409,
      expect.stringContaining('there is an operator of the name money'),
    ])
    const none = await money.post('/operators', { name: 'x', role: 'root' })
    expect([none.status, none.body]).toEqual([
      422,
      expect.stringContaining('role must be one of look, mend, money'),
    ])
  })

  it('change a role, and disable, but not oneself', async () => {
    const money = await test.as('money')
    const look = await test.as('look')
    const ids = await test.database.selectFrom('operators').select(['id', 'name']).execute()
    const idOf = (name: string) => ids.find((one) => one.name === name)?.id
    expect((await money.post(`/operators/${idOf('money')}/disable`)).status).toBe(409)
    expect((await money.post(`/operators/${idOf('look')}/role`, { role: 'mend' })).status).toBe(303)
    expect((await look.get('/')).status).toBe(303)
    expect((await money.post(`/operators/${idOf('look')}/disable`)).status).toBe(303)
    expect((await money.get('/operators')).body).toContain('disabled')
    expect((await money.post(`/operators/${idOf('look')}/enable`)).status).toBe(303)
  })

  it('are a list as CSV', async () => {
    const { body } = await (await test.as('money')).get('/operators?format=csv')
    expect(body.split('\n')[0]).toBe('operator_id,name,role,has_password,created_at,disabled_at,used_at')
    expect(body).toContain('money,money,false')
  })
})
