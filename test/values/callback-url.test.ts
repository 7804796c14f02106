import { describe, expect, it } from 'vitest'
import { parseCallbackUrl } from '../../src/values/callback-url.ts'
import rows from '../fixtures/callback-urls.json' with { type: 'json' }

const PRODUCTION = { allowHttp: false, allowPrivateNetworks: false }
const ONE_MACHINE = { allowHttp: true, allowPrivateNetworks: true }

describe('callback_url', () => {
  const judged = rows.filter((row) => row.stage === 'accept')

  it.each(judged)('$expect: $why', ({ url, expect: expected }) => {
    expect(parseCallbackUrl(url, PRODUCTION).ok ? 'accept' : 'reject').toBe(expected)
  })

  it('asks no name server: a name that leads inside is found out when it is connected to', () => {
    const leadingInside = rows.filter((row) => row.stage === 'connect')
    expect(leadingInside.map(({ url }) => parseCallbackUrl(url, PRODUCTION).ok)).toEqual([true, true, true])
  })

  const inside = [
    'svc',
    'svc.cluster.local',
    'service.consul',
    'consul',
    'internal',
    'docker.internal',
    'local',
    'localhost',
    'localdomain',
    'localdomain4',
    'lan',
    'home.arpa',
    'intranet',
    'corp',
    'home',
    'mail',
    'private',
    'onion',
    'test',
    'invalid',
    'example',
    'alt',
    'in-addr.arpa',
    'mesos',
    'swarm',
    'kube',
    'pod',
    'k8s',
    'kube-system',
    'podman',
    'lxd',
    'workgroup',
  ]
  it.each(inside)('a name inside a cluster or a house is refused, however it is written: .%s', (ending) => {
    for (const url of [
      `https://payments.${ending}/cb`,
      `https://payments.${ending}./cb`,
      `https://PAYMENTS.${ending.toUpperCase()}/cb`,
      `https://payments.default.${ending}:8443/cb?x=1`,
      `https://payments.${ending.slice(0, 1)}%${ending.charCodeAt(1).toString(16)}${ending.slice(2)}/cb`,
      `https://payments。${ending}/cb`,
    ])
      expect([url, parseCallbackUrl(url, PRODUCTION).ok]).toEqual([url, false])
  })

  it.each(['shop.co.ke', 'svc.co.ke', 'consul.shop.com', 'internal.shop.africa', 'shop.xn--p1ai', 'a.shop'])(
    'a public name is taken, whatever stands before its ending: %s',
    (host) => {
      expect(parseCallbackUrl(`https://${host}/cb`, PRODUCTION).ok).toBe(true)
    },
  )

  it('is required', () => {
    expect(parseCallbackUrl('', PRODUCTION)).toEqual({ ok: false, problem: 'is required' })
  })

  it('is refused one character past 2,048', () => {
    const longest = `https://hooks.example.com/${'a'.repeat(2048 - 26)}`
    expect(parseCallbackUrl(longest, PRODUCTION).ok).toBe(true)
    expect(parseCallbackUrl(`${longest}a`, PRODUCTION).ok).toBe(false)
  })

  it.each(['http://127.0.0.1:8091/callbacks', 'http://localhost/cb', 'https://receiver:8443/'])(
    'on one machine takes %s',
    (url) => {
      expect(parseCallbackUrl(url, ONE_MACHINE).ok).toBe(true)
    },
  )

  it('on one machine still refuses what is no URL, credentials and other schemes', () => {
    for (const url of ['ftp://127.0.0.1/', 'http://user@127.0.0.1/', 'http:///cb', 'http://a b/']) {
      expect(parseCallbackUrl(url, ONE_MACHINE).ok).toBe(false)
    }
  })
})
