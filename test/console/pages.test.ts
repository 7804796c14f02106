import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GROUPS } from '../../src/console/page/layout.ts'
import { createOperator } from '../../src/core/operators/operator.ts'
import { testActor } from '../support/actor.ts'
import { openConsole, PASSWORD, type TestConsole } from './harness.ts'

describe('the console', () => {
  let test: TestConsole

  beforeAll(async () => {
    test = await openConsole()
  })
  afterAll(() => test.stop())

  it.each(GROUPS)(
    'shows $name to who is signed in, and leads others to the sign-in',
    async ({ path, name }) => {
      const looking = await test.as('look')
      const page = await looking.get(path)
      expect(page.status).toBe(200)
      expect(page.body).toContain(`<h1>${name}</h1>`)
      expect(page.body).toContain('aria-current="page"')
      const refused = await test.stranger().get(path)
      expect(refused).toMatchObject({ status: 303, location: `/sign-in?next=${encodeURIComponent(path)}` })
    },
  )

  it('comes back to what was asked for, and goes nowhere else', async () => {
    const { database } = test
    await createOperator({
      database,
      name: 'anne',
      role: 'look',
      password: PASSWORD,
      actor: testActor,
      randomBytes,
    })
    const form = { name: 'anne', password: PASSWORD }
    const to = async (next: string) => (await test.stranger().post('/sign-in', { ...form, next })).location
    expect(await to('/payments?state=failed')).toBe('/payments?state=failed')
    expect(await to('https://evil.example/')).toBe('/')
    expect(await to('//evil.example/')).toBe('/')
    expect(await to('/\\evil.example/')).toBe('/')
  })

  it('says once what an action did, and shows it as text', async () => {
    const looking = await test.as('look')
    const first = await looking.get('/')
    expect(first.body).toContain('Signed in as look.')
    expect((await looking.get('/')).body).not.toContain('Signed in as look.')
    looking.cookies.set('console_notice', encodeURIComponent('<img src=x>'))
    expect((await looking.get('/')).body).toContain('&lt;img src=x&gt;')
  })

  it('refuses what no page of its own sends', async () => {
    const looking = await test.as('look')
    const from = (headers: Record<string, string>) => looking.post('/me/password', {}, headers)
    expect((await from({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await from({ origin: test.url, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await from({ 'sec-fetch-site': 'same-origin' })).status).not.toBe(403)
  })
})
