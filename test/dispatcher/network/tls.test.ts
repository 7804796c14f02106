import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, type Certificate, createAuthority, selfSign } from '../../support/certificates.ts'
import { createPosterHarness, type PosterHarness } from '../../support/poster.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const HOST = 'shop.co.ke'

let authority: Authority
let test: PosterHarness

beforeAll(async () => {
  authority = await createAuthority()
})
beforeEach(() => {
  test = createPosterHarness()
})
afterEach(() => test.stop())

const post = async (certificate: Certificate, host = HOST) => {
  const port = await test.tlsServer(certificate)
  return test.post(`https://${host}:${port}/`, { authorities: [authority.cert] })
}

describe('a certificate', () => {
  it('of a known authority, for the host, in its time, is taken', async () => {
    const good = await authority.issue({ hosts: [HOST, '127.0.0.1'] })
    expect(await post(good)).toMatchObject({ status: 200, errorClass: null, answer: 'ok' })
    expect(await post(good, '127.0.0.1')).toMatchObject({ status: 200, errorClass: null })
  })

  it.each<[string, () => Promise<Certificate>]>([
    [
      'that has expired',
      () => authority.issue({ hosts: [HOST], notAfter: new Date(Date.now() - DAY_MS / 2) }),
    ],
    [
      'whose time has not come',
      () =>
        authority.issue({
          hosts: [HOST],
          notBefore: new Date(Date.now() + DAY_MS / 2),
          notAfter: new Date(Date.now() + DAY_MS),
        }),
    ],
    ['for another host', () => authority.issue({ hosts: ['other.co.ke'] })],
    ['for a host above', () => authority.issue({ hosts: ['co.ke', '*.co'] })],
    ['for those who call', () => authority.issue({ hosts: [] })],
    ['that is signed by itself', () => selfSign({ hosts: [HOST] })],
    ['of an unknown authority', async () => (await createAuthority()).issue({ hosts: [HOST] })],
    ['that is an authority of its own', () => createAuthority()],
  ])('%s is a failure of tls, and nothing is sent', async (_which, make) => {
    expect(await post(await make())).toMatchObject({ status: null, errorClass: 'tls', answer: null })
  })

  it('for a name does not do for its address', async () => {
    expect(await post(await authority.issue({ hosts: [HOST] }), '127.0.0.1')).toMatchObject({
      status: null,
      errorClass: 'tls',
    })
  })

  it("of an authority of ours is not taken where only Node's are known", async () => {
    const port = await test.tlsServer(await authority.issue({ hosts: [HOST] }))
    expect(await test.post(`https://${HOST}:${port}/`)).toMatchObject({ status: null, errorClass: 'tls' })
  })

  describe('in an environment that would have none checked', () => {
    const NAME = 'NODE_TLS_REJECT_UNAUTHORIZED'
    const before = process.env[NAME]
    beforeAll(() => {
      process.env[NAME] = '0'
    })
    afterAll(() => {
      if (before === undefined) delete process.env[NAME]
      else process.env[NAME] = before
    })

    it('is checked', async () => {
      expect(await post(await selfSign({ hosts: [HOST] }))).toMatchObject({ status: null, errorClass: 'tls' })
    })
  })
})
