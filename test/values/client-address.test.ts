import { describe, expect, it } from 'vitest'
import { parseAddressList } from '../../src/values/address-list.ts'
import { clientAddressOf } from '../../src/values/client-address.ts'

const proxies = parseAddressList('10.0.0.0/8,2001:db8::7')
const trustedProxies = proxies.ok ? proxies.value : []

const STRANGER = '203.0.113.9'
const DARAJA = '196.201.214.200'

describe('the source of a request', () => {
  it.each<[string, string | string[] | undefined, string]>([
    // Nobody in between, or nobody of ours: what it says of others is hearsay.
    [DARAJA, undefined, DARAJA],
    [`::ffff:${DARAJA}`, undefined, DARAJA],
    [STRANGER, DARAJA, STRANGER],
    [STRANGER, '10.0.0.1', STRANGER],
    // Behind one proxy of ours, or two.
    ['10.0.0.1', DARAJA, DARAJA],
    ['::ffff:10.0.0.1', DARAJA, DARAJA],
    ['10.0.0.1', `${DARAJA}, 10.0.0.2`, DARAJA],
    ['2001:db8::7', DARAJA, DARAJA],
    // What stands before the first stranger is what the stranger wrote.
    ['10.0.0.1', `${DARAJA}, ${STRANGER}`, STRANGER],
    ['10.0.0.1', [DARAJA, `${STRANGER}, 10.0.0.2`], STRANGER],
    // With ports, as some proxies write it.
    ['10.0.0.1', `${DARAJA}:4711`, DARAJA],
    ['10.0.0.1', '[2001:db8::99]:4711', '2001:db8::99'],
    ['10.0.0.1', '2001:db8::99', '2001:db8::99'],
    // Our proxy tells nothing, or nothing that is an address.
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', `${DARAJA}, unknown`, '10.0.0.1'],
    ['10.0.0.1', '10.0.0.2', '10.0.0.2'],
    ['', undefined, ''],
  ])('connected from %s with %j: %s', (connected, forwardedFor, source) => {
    expect(clientAddressOf({ connected, forwardedFor, trustedProxies })).toBe(source)
  })

  it('without trusted proxies is who is connected', () => {
    expect(clientAddressOf({ connected: '10.0.0.1', forwardedFor: DARAJA, trustedProxies: [] })).toBe(
      '10.0.0.1',
    )
  })
})
