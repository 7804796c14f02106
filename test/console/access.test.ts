import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { createConsole } from '../../src/console/server.ts'
import { OPERATOR_ROLES, type OperatorRole, suffices } from '../../src/values/operator-role.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

/** Every route of the console, and the least role that may ask for it. A new one is to be added, with its role. */
const ROUTES: Readonly<Record<string, OperatorRole | 'nobody'>> = {
  'GET /healthz': 'nobody',
  'GET /readyz': 'nobody',
  'GET /sign-in': 'nobody',
  'POST /sign-in': 'nobody',
  'GET /sign-in/link': 'nobody',
  'POST /sign-in/link': 'nobody',
  'POST /sign-out': 'look',
  'GET /me': 'look',
  'POST /me/password': 'look',
  'POST /me/sessions/end': 'look',
  'GET /keys': 'look',
  'GET /': 'look',
  'GET /payments': 'look',
  'POST /payments/find': 'look',
  'GET /payments/:id': 'look',
  'POST /payments/:id/reveal': 'mend',
  'POST /payments/:id/cancel': 'mend',
  'POST /payments/:id/resend': 'mend',
  'GET /payments/:id/settle': 'money',
  'POST /payments/:id/settle': 'money',
  'GET /payments/:id/erase': 'money',
  'POST /payments/:id/erase': 'money',
  'GET /approvals': 'look',
  'POST /approvals/:id/approve': 'money',
  'POST /approvals/:id/refuse': 'money',
  'GET /exceptions': 'look',
  'POST /exceptions/:id/acknowledge': 'mend',
  'GET /deliveries': 'look',
  'GET /deliveries/:id': 'look',
  'POST /deliveries/:id/retry': 'mend',
  'POST /deliveries/:id/cancel': 'mend',
  'GET /deliveries/all/retry': 'mend',
  'POST /deliveries/all/retry': 'mend',
  'GET /deliveries/all/retry/done': 'mend',
  'GET /deliveries/all/cancel': 'mend',
  'POST /deliveries/all/cancel': 'mend',
  'GET /deliveries/all/cancel/done': 'mend',
  'GET /deliveries/endpoints': 'look',
  'GET /deliveries/endpoint': 'look',
  'POST /deliveries/endpoint/pause': 'mend',
  'POST /deliveries/endpoint/resume': 'mend',
  'POST /deliveries/endpoint/probe': 'mend',
  'GET /partners': 'look',
  'POST /partners/create': 'money',
  'GET /partners/accounts': 'look',
  'POST /partners/accounts/check': 'mend',
  'GET /partners/:id': 'look',
  'POST /partners/:id/disable': 'mend',
  'POST /partners/:id/enable': 'mend',
  'POST /partners/:id/bounds': 'money',
  'POST /partners/:id/keys': 'money',
  'POST /partners/:id/keys/:key/rotate': 'money',
  'POST /partners/:id/keys/:key/revoke': 'mend',
  'POST /partners/:id/test-callback': 'mend',
  'GET /traffic': 'look',
  'GET /statements': 'look',
  'POST /statements/import': 'mend',
  'GET /statements/:id': 'look',
  'GET /statements/totals': 'look',
  'GET /statement-exceptions': 'look',
  'POST /statement-exceptions/:id/acknowledge': 'mend',
  'POST /statement-exceptions/acknowledge': 'mend',
  'GET /operators': 'look',
  'POST /operators': 'money',
  'POST /operators/:operator_id/link': 'money',
  'POST /operators/:operator_id/role': 'money',
  'POST /operators/:operator_id/disable': 'money',
  'POST /operators/:operator_id/enable': 'money',
}

/** Its own test: it would sign the browser out that the others use. */
const OTHERWISE = 'POST /sign-out'

describe('who may ask the console for what', () => {
  let test: TestConsole
  let browsers: Record<OperatorRole, TestBrowser>

  beforeAll(async () => {
    test = await openConsole()
    browsers = { look: await test.as('look'), mend: await test.as('mend'), money: await test.as('money') }
  })
  afterAll(() => test.stop())

  it('is known here for every route: a new one is to be added', async () => {
    const routes: string[] = []
    const app = await createConsole(test.parts, { onRoute: (route) => routes.push(route) })
    await app.close()
    const known = routes.filter((route) => !route.startsWith('GET /assets/') && !route.startsWith('HEAD '))
    expect(known.toSorted()).toEqual(Object.keys(ROUTES).toSorted())
  })

  it('has the pages that alerts and runbooks lead to', async () => {
    const folder = join(import.meta.dirname, '..', '..', 'docs', 'runbooks')
    const names = await readdir(folder)
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
    const named = texts.flatMap((text) =>
      [...text.matchAll(/Console: ((?:`\/[^`]*`(?:, )?)+)/g)].flatMap(
        ([, pages = '']) => pages.match(/\/[^`]*/g) ?? [],
      ),
    )
    const led = [...named, ...ALERTS.map(({ console }) => console)]
    expect(led.length).toBeGreaterThan(60)
    expect([...new Set(led)].filter((path) => ROUTES[`GET ${path}`] === undefined)).toEqual([])
  })

  const ask = (browser: TestBrowser, route: string) => {
    const [method, path = ''] = route.split(' ')
    const filled = path.replaceAll(/:\w+/g, '999999')
    return method === 'GET' ? browser.get(filled) : browser.post(filled)
  }

  const guarded = Object.entries(ROUTES).flatMap(([route, needs]) =>
    needs === 'nobody' || route === OTHERWISE ? [] : [[route, needs] as const],
  )

  it.each(guarded)('%s needs the role %s', async (route, needs) => {
    expect(await ask(test.stranger(), route)).toMatchObject({
      status: 303,
      location: expect.stringMatching(/^\/sign-in/),
    })
    for (const role of OPERATOR_ROLES) {
      const { status } = await ask(browsers[role], route)
      if (suffices(role, needs)) expect([route, role, status]).not.toContain(403)
      else expect([route, role, status]).toEqual([route, role, 403])
    }
  })

  it.each(Object.keys(ROUTES).filter((route) => route.startsWith('POST ')))(
    '%s is refused from a page of another site, whoever is signed in',
    async (route) => {
      const path = (route.split(' ')[1] ?? '').replaceAll(/:\w+/g, '1')
      const { money } = browsers
      const from = async (headers: Record<string, string>) => (await money.post(path, {}, headers)).status
      expect(await from({ 'sec-fetch-site': 'cross-site' })).toBe(403)
      expect(await from({ 'sec-fetch-site': 'same-site' })).toBe(403)
      expect(await from({ origin: 'https://evil.example' })).toBe(403)
      expect(await from({ origin: 'null' })).toBe(403)
    },
  )

  it('says on every page that it stands in no frame, and has no script but its own', async () => {
    for (const path of ['/', '/sign-in', '/nowhere', '/operators']) {
      const { headers } = await browsers.look.get(path)
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none';style-src 'self';script-src 'self';img-src 'self';connect-src 'self';" +
          "form-action 'self';base-uri 'none';frame-ancestors 'none'",
      )
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  it('is not known by a name that somebody made to lead here', async () => {
    const app = await createConsole(test.parts)
    const at = async (host: string) => (await app.inject({ url: '/sign-in', headers: { host } })).statusCode
    expect(await at('evil.example:8083')).toBe(421)
    expect(await at('127.0.0.1.evil.example')).toBe(421)
    expect(await at('localhost:8083')).toBe(200)
    await app.close()
  })
})
