import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConsole } from '../../src/console/server.ts'
import { createLink, createOperator, setDisabled, setRole } from '../../src/core/operators/operator.ts'
import { testActor } from '../support/actor.ts'
import { openConsole, PASSWORD, type TestBrowser, type TestConsole } from './harness.ts'

const COOKIE = 'console_session'

describe('a sign-in to the console', () => {
  let test: TestConsole

  beforeEach(async () => {
    test = await openConsole()
  })
  afterEach(() => test.stop())

  const addAnne = async (password: string | null = PASSWORD) => {
    const { database } = test
    const made = await createOperator({
      database,
      name: 'anne',
      role: 'mend',
      password,
      actor: testActor,
      randomBytes,
    })
    if (made === null) throw new Error('there is an anne')
    return made
  }

  /** Signs anne in by a new link. */
  const followLink = async (browser: TestBrowser) => {
    const code = await createLink({ database: test.database, operatorId: 1n, actor: testActor, randomBytes })
    return browser.post('/sign-in/link', { code: code ?? '' })
  }

  const typePassword = (browser: TestBrowser, password: string, name = 'anne') =>
    browser.post('/sign-in', { name, password })

  const linesOf = async () => {
    const rows = await test.database
      .selectFrom('audit')
      .select(['action', 'actor_name', 'source'])
      .orderBy('id')
      .execute()
    return rows.map((row) => [row.action, row.actor_name, row.source])
  }

  it('is closed until there is an operator, and says how to make one', async () => {
    const page = await test.stranger().get('/sign-in')
    expect(page.status).toBe(503)
    expect(page.body).toContain('gateway operators create --name wanjiku --role money')
    await addAnne(null)
    expect((await test.stranger().get('/sign-in')).status).toBe(200)
  })

  it('by a password begins a session, which a sign-out ends; both are audited by name', async () => {
    await addAnne()
    const browser = test.stranger()
    expect((await typePassword(browser, 'not the password')).status).toBe(401)
    expect((await browser.get('/me')).status).toBe(303)
    const { status, headers } = await typePassword(browser, PASSWORD)
    expect(status).toBe(303)
    expect(headers.getSetCookie()[0]).toMatch(
      /^console_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    )
    expect((await browser.get('/me')).body).toContain('<h1>anne</h1>')
    const token = browser.cookies.get(COOKIE) ?? ''
    await browser.post('/sign-out')
    browser.cookies.set(COOKIE, token)
    expect((await browser.get('/me')).status).toBe(303)
    expect(await linesOf()).toEqual([
      ['created', 'a test', 'the suite'],
      ['signed_in', 'anne', '127.0.0.1'],
      ['signed_out', 'anne', '127.0.0.1'],
    ])
  })

  it('keeps neither the password, nor the token, nor the code', async () => {
    await addAnne()
    const browser = test.stranger()
    await typePassword(browser, PASSWORD)
    const code = await createLink({ database: test.database, operatorId: 1n, actor: testActor, randomBytes })
    const { rows } = await sql<{ kept: string }>`
      SELECT (SELECT json_agg(o) FROM operators o)::text || (SELECT json_agg(s) FROM operator_sessions s)::text
        || (SELECT json_agg(l) FROM operator_links l)::text || (SELECT json_agg(a) FROM audit a)::text AS kept
    `.execute(test.database)
    for (const secret of [PASSWORD, browser.cookies.get(COOKIE) ?? '?', code ?? '?'])
      expect(rows[0]?.kept).not.toContain(secret)
  })

  it('leads to a page of the console and nowhere else, however its address is written', async () => {
    const anne = { name: 'anne', password: PASSWORD }
    await addAnne()
    for (const next of [
      '//evil.example/',
      '/.//evil.example/x',
      '//console//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      'https://evil.example/',
    ]) {
      const signedIn = await test.stranger().post('/sign-in', { ...anne, next })
      expect([next, signedIn.status, signedIn.location]).toEqual([next, 303, '/'])
    }
    const signedIn = await test.stranger().post('/sign-in', { ...anne, next: '/payments?state=failed' })
    expect(signedIn.location).toBe('/payments?state=failed')
  })

  it('with a name that nobody can have is wrong, and no defect', async () => {
    await addAnne()
    for (const name of ['\0', 'anne\0', ' ', 'a'.repeat(10_000)])
      expect((await typePassword(test.stranger(), PASSWORD, name)).status).toBe(401)
  })

  it('takes no session that the browser brought with it', async () => {
    await addAnne(null)
    const browser = test.stranger()
    browser.cookies.set(COOKIE, 'a token that an attacker knows')
    await followLink(browser)
    expect(browser.cookies.get(COOKIE)).not.toBe('a token that an attacker knows')
    const other = test.stranger()
    other.cookies.set(COOKIE, 'a token that an attacker knows')
    expect((await other.get('/me')).status).toBe(303)
  })

  it('by a link works once, within an hour, and looking at it does not use it up', async () => {
    const { code } = await addAnne(null)
    const form = { code: code ?? '' }
    expect((await test.stranger().get('/sign-in/link')).status).toBe(200)
    expect((await test.stranger().post('/sign-in/link', form)).status).toBe(303)
    expect((await test.stranger().post('/sign-in/link', form)).status).toBe(401)
    const late = await createLink({ database: test.database, operatorId: 1n, actor: testActor, randomBytes })
    await sql`UPDATE operator_links SET expires_at = now() - interval '1 second'`.execute(test.database)
    expect((await test.stranger().post('/sign-in/link', { code: late ?? '' })).status).toBe(401)
  })

  it.each([
    ['half an hour without a request', 'used_at', '30 minutes'],
    ['twelve hours', 'created_at', '12 hours'],
  ])('ends after %s', async (_what, column, age) => {
    const browser = await test.as('look')
    expect((await browser.get('/me')).status).toBe(200)
    await sql`UPDATE operator_sessions SET ${sql.ref(column)} = now() - ${age}::interval`.execute(
      test.database,
    )
    expect((await browser.get('/me')).status).toBe(303)
  })

  it('is kept by who asks for pages, and not by a page that refreshes itself', async () => {
    const browser = await test.as('look')
    const age = async () => {
      await sql`UPDATE operator_sessions SET used_at = now() - interval '20 minutes'`.execute(test.database)
    }
    const isOld = async () =>
      (
        await sql<{
          old: boolean
        }>`SELECT used_at < now() - interval '10 minutes' AS old FROM operator_sessions`.execute(
          test.database,
        )
      ).rows[0]?.old
    await age()
    await browser.get('/', { 'sec-fetch-dest': 'empty' })
    expect(await isOld()).toBe(true)
    await browser.get('/', { 'sec-fetch-dest': 'document' })
    expect(await isOld()).toBe(false)
  })

  it('ends at once when its operator is disabled, or has another role', async () => {
    await addAnne()
    const changing = { database: test.database, operatorId: 1n, actor: testActor }
    const browser = test.stranger()
    await followLink(browser)
    await setRole({ ...changing, role: 'look' })
    expect((await browser.get('/me')).status).toBe(303)
    await followLink(browser)
    expect((await browser.get('/me')).status).toBe(200)
    await setDisabled({ ...changing, disabled: true })
    expect((await browser.get('/me')).status).toBe(303)
    expect((await typePassword(browser, PASSWORD)).status).toBe(401)
    expect((await followLink(browser)).status).toBe(401)
  })

  it('is listed for its operator, who ends the others, and with a new password all of them', async () => {
    await addAnne(null)
    const [here, there, elsewhere] = [test.stranger(), test.stranger(), test.stranger()]
    for (const browser of [there, elsewhere, here]) await followLink(browser)
    await here.post('/me/sessions/end', { session_id: '1' })
    expect((await there.get('/me')).status).toBe(303)
    expect((await elsewhere.get('/me')).status).toBe(200)
    const short = await here.post('/me/password', { password: 'short', again: 'short' })
    expect([short.status, short.body]).toEqual([422, expect.stringContaining('12 to 200 characters')])
    const password = 'another long password'
    expect((await here.post('/me/password', { password, again: password })).status).toBe(303)
    expect((await here.get('/me')).status).toBe(200)
    expect((await elsewhere.get('/me')).status).toBe(303)
    expect((await typePassword(elsewhere, password)).status).toBe(303)
  })

  it('cannot end the session of another operator', async () => {
    await addAnne(null)
    const anne = test.stranger()
    await followLink(anne)
    await (await test.as('money')).post('/me/sessions/end', { session_id: '1' })
    expect((await anne.get('/me')).status).toBe(200)
  })

  const guessed = async (wrong: number) => {
    await sql`UPDATE sign_in_guesses SET wait_until = now(), wrong = ${wrong}`.execute(test.database)
  }

  const waits = async () => {
    const { rows } = await sql<{ guesser: string; seconds: number }>`
      SELECT guesser, extract(epoch FROM wait_until - last_at)::int AS seconds FROM sign_in_guesses ORDER BY 1 DESC
    `.execute(test.database)
    return rows.map(({ guesser, seconds }) => [guesser, seconds])
  }

  it('makes a guesser wait longer and longer, also with the right password, and nobody for good', async () => {
    await addAnne()
    const browser = test.stranger()
    expect((await typePassword(browser, 'wrong')).status).toBe(401)
    expect(await waits()).toEqual([
      ['name anne', 0],
      ['client 127.0.0.1', 0],
    ])
    await guessed(12)
    expect((await typePassword(browser, 'wrong')).status).toBe(401)
    expect(await waits()).toEqual([
      ['name anne', 256],
      ['client 127.0.0.1', 0],
    ])
    const held = await typePassword(browser, PASSWORD)
    expect([held.status, held.body]).toEqual([
      429,
      expect.stringContaining('Too many were wrong: try again in'),
    ])
    expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await linesOf()).map(([action]) => action)).toEqual(['created', 'held_off'])
    await guessed(40)
    expect((await typePassword(browser, 'wrong')).status).toBe(401)
    expect(await waits()).toEqual([
      ['name anne', 900],
      ['client 127.0.0.1', 900],
    ])
    await guessed(40)
    expect((await typePassword(browser, PASSWORD)).status).toBe(303)
    expect(await waits()).toEqual([])
  })

  it('counts a client that guesses at many names, and of many attempts at once looks at one', async () => {
    await addAnne(null)
    await test.stranger().post('/sign-in/link', { code: 'wrong' })
    await guessed(30)
    const statuses = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => typePassword(test.stranger(), 'wrong', name)),
    )
    expect(statuses.filter(({ status }) => status === 401)).toHaveLength(1)
    expect(statuses.filter(({ status }) => status === 429)).toHaveLength(3)
  })

  it('is counted by what became of it', async () => {
    await addAnne()
    const browser = test.stranger()
    const counted = async () =>
      (await test.registry.getSingleMetricAsString('gateway_console_sign_ins_total'))
        .split('\n')
        .filter((line) => !line.startsWith('#'))
    expect(await counted()).toEqual([
      'gateway_console_sign_ins_total{outcome="right"} 0',
      'gateway_console_sign_ins_total{outcome="wrong"} 0',
      'gateway_console_sign_ins_total{outcome="held_off"} 0',
    ])
    await typePassword(browser, 'wrong')
    await guessed(12)
    await browser.post('/sign-in/link', { code: 'wrong' })
    await typePassword(browser, 'wrong')
    await typePassword(browser, PASSWORD)
    await guessed(0)
    await typePassword(browser, PASSWORD)
    expect(await counted()).toEqual([
      'gateway_console_sign_ins_total{outcome="right"} 1',
      'gateway_console_sign_ins_total{outcome="wrong"} 3',
      'gateway_console_sign_ins_total{outcome="held_off"} 1',
    ])
  })

  it('over a network gives a cookie that goes by https alone', async () => {
    const { code } = await addAnne(null)
    const app = await createConsole({ ...test.parts, hosts: ['console.example'] })
    const answer = await app.inject({
      method: 'POST',
      url: '/sign-in/link',
      headers: {
        host: 'console.example',
        origin: 'https://console.example',
        'content-type': 'application/x-www-form-urlencoded',
      },
      payload: `code=${code}`,
    })
    expect([answer.headers['set-cookie']].flat()[0]).toMatch(/; HttpOnly; Secure; SameSite=Strict$/)
    await app.close()
  })
})
