import { describe, expect, it } from 'vitest'
import { createBlockedAddresses } from '../../src/facade/blocked-addresses.ts'

const barsOf = () => createBlockedAddresses({ perMinute: 3, nowMs: () => 0 })

describe('who has shown too many wrong keys', () => {
  it('is a whole network of IPv6: a line has 2 to the 64th addresses', () => {
    const blockedAddresses = barsOf()
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff::3'])
      blockedAddresses.countWrong(address)
    expect(blockedAddresses.waitSeconds('2001:db8:1:2:aaaa:bbbb:cccc:dddd')).toBe(60)
    expect(blockedAddresses.waitSeconds('2001:db8:1:3::1')).toBe(0)
  })

  it('is one address of IPv4, however a socket tells it', () => {
    const blockedAddresses = barsOf()
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201'])
      blockedAddresses.countWrong(address)
    expect(blockedAddresses.waitSeconds('192.0.2.1')).toBe(60)
    expect(blockedAddresses.waitSeconds('::ffff:192.0.2.1')).toBe(60)
    expect(blockedAddresses.waitSeconds('::ffff:192.0.2.2')).toBe(0)
  })

  it('is nobody at whose address a partner’s own key was seen', () => {
    const blockedAddresses = barsOf()
    for (let count = 0; count < 3; count += 1) blockedAddresses.countWrong('2001:db8:1:2::1')
    blockedAddresses.trust('2001:db8:1:2::9')
    expect(blockedAddresses.waitSeconds('2001:db8:1:2::1')).toBe(0)
  })
})
