import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import rows from '../../fixtures/callback-urls.json' with { type: 'json' }
import { type DnsAnswer, type DnsServer, startDnsServer } from '../../support/dns-server.ts'
import { createPosterHarness, type PosterHarness, type PosterOptions } from '../../support/poster.ts'
import { answerWith, type Receiver, startReceiver } from '../../support/receiver.ts'

/** A private address of another machine's. */
const PRIVATE = '10.0.0.7'
/** The one on which a test can listen, and which is public in these tests where they say so. */
const HERE = '127.0.0.1'
const PRODUCTION = { allowPrivateNetworks: false }
const HERE_IS_PUBLIC = { isPublic: (address: string) => address === HERE }

let test: PosterHarness
let nameServer: DnsServer
let receiver: Receiver

beforeEach(async () => {
  test = createPosterHarness()
  nameServer = await test.nameServer()
  receiver = await test.receiver()
})
afterEach(() => test.stop())

const post = (host: string, given: PosterOptions) =>
  test.post(`http://${host}:${receiver.port}/`, { nameServer, ...given })

const nothingHappened = { status: null, errorClass: 'blocked', address: null }

describe('a name that leads to', () => {
  it.each<[string, readonly string[]]>([
    ['this machine', ['127.0.0.1']],
    ['this machine over IPv6', ['::1']],
    ['a private network', [PRIVATE]],
    ['where clouds keep their secrets', ['169.254.169.254']],
    ['no address in particular', ['0.0.0.0']],
    ['a public and a private address', ['203.0.114.1', PRIVATE]],
    ['a private and a public address', [PRIVATE, '203.0.114.1']],
    ['a public IPv4 and a private IPv6 address', ['203.0.114.1', 'fd00::7']],
    ['IPv4 that is mapped into IPv6', ['::ffff:127.0.0.1']],
    ['IPv4 that is written as IPv6', ['::127.0.0.1']],
    ['IPv4 behind NAT64', ['64:ff9b::7f00:1']],
    ['IPv4 behind 6to4', ['2002:7f00:1::1']],
    ['IPv4 behind Teredo', ['2001:0:7f00:1::1']],
    ['a link', ['fe80::1']],
    ['many at once', ['ff02::1']],
    ['an alias of this machine', ['inside.shop.co.ke', '127.0.0.1']],
  ])('%s is not connected to', async (_what, addresses) => {
    nameServer.answer('shop.co.ke', addresses)
    expect(await post('shop.co.ke', PRODUCTION)).toMatchObject(nothingHappened)
    expect(receiver.received).toEqual([])
  })
})

describe('a name whose address changes', () => {
  it('is connected to at the address that was judged, though the next answer is another', async () => {
    nameServer.answer('shop.co.ke', [HERE], [PRIVATE])
    expect(await post('shop.co.ke', HERE_IS_PUBLIC)).toMatchObject({ status: 200, address: HERE })
    expect(nameServer.queries.toSorted()).toEqual(['A shop.co.ke', 'AAAA shop.co.ke'])
    expect(receiver.received).toHaveLength(1)
  })

  it('is judged again for the next connection', async () => {
    receiver.behave(answerWith(200, 'ok', { connection: 'close' }))
    nameServer.answer('shop.co.ke', [HERE], [PRIVATE], [HERE])
    const poster = test.poster({ nameServer, ...HERE_IS_PUBLIC })
    const request = { url: `http://shop.co.ke:${receiver.port}/`, headers: {}, body: '{}' }
    expect(await poster.post(request)).toMatchObject({ status: 200 })
    expect(await poster.post(request)).toMatchObject(nothingHappened)
    expect(await poster.post(request)).toMatchObject({ status: 200 })
    expect(receiver.received).toHaveLength(2)
  })
})

describe('a redirect', () => {
  it.each([
    'http://10.0.0.7/',
    'http://169.254.169.254/latest/meta-data/',
    'http://inside.shop.co.ke/',
    '//[::1]/',
  ])('to %s is an answer like any other, and nobody asks for its name', async (location) => {
    const other = await test.receiver()
    nameServer.answer('shop.co.ke', [HERE])
    nameServer.answer('inside.shop.co.ke', [PRIVATE])
    for (const to of [location, `${other.url}/`]) {
      receiver.behave(answerWith(307, '', { location: to }))
      expect(await post('shop.co.ke', HERE_IS_PUBLIC)).toMatchObject({ status: 307, errorClass: 'redirect' })
    }
    expect(receiver.received).toHaveLength(2)
    expect(other.received).toEqual([])
    expect(nameServer.queries.filter((query) => !query.endsWith(' shop.co.ke'))).toEqual([])
  })
})

describe('a name without an answer', () => {
  it.each<DnsAnswer>(['NXDOMAIN', 'SERVFAIL', 'REFUSED', 'truncated', 'garbage', 'silence', []])(
    'is a failure of dns: %j',
    async (answer) => {
      nameServer.answer('shop.co.ke', answer)
      expect(await post('shop.co.ke', HERE_IS_PUBLIC)).toMatchObject({
        status: null,
        errorClass: 'dns',
        address: null,
      })
    },
  )

  it('is a failure of dns when the name server is not there', async () => {
    const gone = await startDnsServer()
    await gone.close()
    expect(await post('shop.co.ke', { ...HERE_IS_PUBLIC, nameServer: gone })).toMatchObject({
      errorClass: 'dns',
    })
  })

  it('but with addresses where nobody listens is refused, and reports by which', async () => {
    const gone = await startReceiver()
    await gone.close()
    nameServer.answer('shop.co.ke', [HERE, HERE])
    expect(
      await test.post(`http://shop.co.ke:${gone.port}/`, { nameServer, ...HERE_IS_PUBLIC }),
    ).toMatchObject({
      errorClass: 'refused',
      address: HERE,
    })
  })

  it('of one family is reached by the other', async () => {
    nameServer.answer('shop.co.ke', [HERE])
    expect(await post('shop.co.ke', HERE_IS_PUBLIC)).toMatchObject({ status: 200, address: HERE })
  })
})

describe('every callback_url that is to be refused', () => {
  const refused = rows.filter((row) => row.expect === 'reject')

  it.each(refused)('is connected to nowhere either: $url ($why)', async ({ url }) => {
    // Whatever name it holds leads here, so that only the guard is between.
    nameServer.answer('*', [HERE])
    const result = await test.post(url, { nameServer, ...PRODUCTION })
    expect(result).toMatchObject({ status: null, address: null })
    // Where it is no URL of ours, or holds a name that cannot be asked for, it does not come as far as the guard.
    expect(['blocked', 'protocol', 'dns']).toContain(result.errorClass)
    expect(receiver.received).toEqual([])
  })

  it('is tried: by text, by address and by name', () => {
    expect(refused.length).toBeGreaterThanOrEqual(92)
    expect(refused.filter((row) => row.stage === 'connect')).toHaveLength(3)
  })
})
