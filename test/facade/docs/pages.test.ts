import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Client } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, errorBody, openFacade, type TestFacade } from '../harness.ts'

const DOCS = join(import.meta.dirname, '..', '..', '..', 'docs')

let test: TestFacade
let client: Client
beforeAll(async () => {
  test = await openFacade()
  client = new Client(test.url)
})
afterAll(async () => {
  await client.close()
  await test.stop()
})

const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await client.request({ method: 'GET', path, headers })
  return {
    status: answer.statusCode,
    headers: answer.headers,
    bytes: Buffer.from(await answer.body.arrayBuffer()),
  }
}

/** What a page lets its browser load, by `src` and `href`. */
const loadedBy = (html: string): string[] =>
  [...html.matchAll(/<(?:script|link|img|iframe)[^>]* (?:src|href)="([^"]*)"/g)].map(
    ([, target = '']) => target,
  )

const scriptOf = (html: string): string =>
  `/${loadedBy(html).find((target) => target.endsWith('.js')) ?? 'none'}`

describe('the reference', () => {
  it('loads one script, ours, and has another nonce each time', async () => {
    const [one, other] = [await ask(test, 'GET /docs'), await ask(test, 'GET /docs')]
    const nonceOf = ({ headers }: { headers: Record<string, string> }) =>
      /'nonce-([\w-]{22})'/.exec(headers['content-security-policy'] ?? '')?.[1]
    expect(nonceOf(one)).not.toBe(nonceOf(other))
    expect(loadedBy(one.body)).toEqual([
      'data:,',
      expect.stringMatching(/^docs\/reference-[0-9a-f]{16}\.js$/),
    ])
    expect(one.body.match(/<script\b/g)).toHaveLength(2)
    expect(one.body.match(new RegExp(`<script nonce="${nonceOf(one)}"`, 'g'))).toHaveLength(2)
    expect(one.body).not.toMatch(/@import|\son\w+=/i)
  })

  it('has its script under a name of its content, to be kept by browsers, compressed for those that take it', async () => {
    const path = scriptOf((await ask(test, 'GET /docs')).body)
    const plain = await get(path)
    const small = await get(path, { 'accept-encoding': 'br, gzip' })
    expect(plain.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      'x-content-type-options': 'nosniff',
      vary: 'accept-encoding',
    })
    expect(small.headers['content-encoding']).toBe('gzip')
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(gunzipSync(small.bytes).equals(plain.bytes)).toBe(true)
    const digest = createHash('sha256').update(plain.bytes).digest('hex')
    expect(path).toBe(`/docs/reference-${digest.slice(0, 16)}.js`)
  })

  it.each(['/docs/reference-0123456789abcdef.js', '/docs/verify/verify.rb', '/docs/verify/__proto__'])(
    '%s leads nowhere',
    async (path) => {
      const { status, body } = await ask(test, `GET ${path}`)
      expect([status, body]).toEqual([404, errorBody('there is nothing at this path')])
    },
  )
})

describe('llms.txt', () => {
  it('leads to what is there', async () => {
    const { body, headers } = await ask(test, 'GET /llms.txt')
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(body).toMatch(/^# M-PESA Gateway API\n\n> /)
    const links = [...body.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => new URL(link).pathname)
    expect(links).toContain('/docs/guide.md')
    for (const path of links) expect([path, (await ask(test, `GET ${path}`)).status]).toEqual([path, 200])
  })
})

describe('the guide', () => {
  it.each([
    ['/docs/guide', 'partner-guide.md'],
    ['/docs/simulator', 'simulator.md'],
  ])('%s has every heading of its page, and what its links lead to', async (path, file) => {
    const { status, body } = await ask(test, `GET ${path}`)
    expect(status).toBe(200)
    const guide = await readFile(join(DOCS, file), 'utf8')
    const headings = [...guide.matchAll(/^#+ .+$/gm)]
    expect(body.match(/<h[1-6] id="/g)).toHaveLength(headings.length)
    const targets = [...body.matchAll(/href="([^"]+)"/g)].map(([, target = '']) => target)
    const base = new URL(path, test.url)
    for (const target of targets.filter((one) => !/^(?:https|data):/.test(one))) {
      const { pathname, search, hash } = new URL(target, base)
      const answer = await ask(test, `GET ${pathname}${search}`)
      expect([target, answer.status]).toEqual([target, 200])
      if (hash !== '') expect(answer.body).toContain(`id="${hash.slice(1)}"`)
    }
  })

  it('brings itself and its examples as they are written', async () => {
    const guide = await readFile(join(DOCS, 'partner-guide.md'), 'utf8')
    expect((await ask(test, 'GET /docs/guide.md')).body).toBe(guide)
    for (const name of ['verify.mjs', 'verify.py', 'verify.php']) {
      const { body, headers } = await ask(test, `GET /docs/verify/${name}`)
      expect(headers['content-type']).toBe('text/plain; charset=utf-8')
      expect(body).toBe(await readFile(join(DOCS, 'verify', name), 'utf8'))
    }
  })
})
