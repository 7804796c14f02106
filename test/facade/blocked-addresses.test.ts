import { describe, expect, it } from 'vitest'
import { createBlockedAddresses } from '../../src/facade/blocked-addresses.ts'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'

const open = () => {
  let nowMs = 1
  const wrongSecrets = createWrongSecrets({ perMinute: 3, nowMs: () => nowMs })
  const isProxy = (address: string): boolean => address === '10.0.0.1'
  const { waitSeconds, trust } = createBlockedAddresses({ wrongSecrets, isProxy, nowMs: () => nowMs })
  return { waitSeconds, trust, countWrong: wrongSecrets.count, pass: (ms: number) => void (nowMs += ms) }
}

describe('who has shown too many wrong keys', () => {
  it('is a whole network of IPv6: a line has 2 to the 64th addresses', () => {
    const { waitSeconds, countWrong } = open()
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff::3']) countWrong(address)
    expect(waitSeconds('2001:db8:1:2:aaaa:bbbb:cccc:dddd')).toBe(60)
    expect(waitSeconds('2001:db8:1:3::1')).toBe(0)
  })

  it('is one address of IPv4, however a socket writes it', () => {
    const { waitSeconds, countWrong } = open()
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201']) countWrong(address)
    expect(waitSeconds('192.0.2.1')).toBe(60)
    expect(waitSeconds('::ffff:192.0.2.1')).toBe(60)
    expect(waitSeconds('::ffff:192.0.2.2')).toBe(0)
  })

  it('is nobody at whose address a partner’s own key was seen within a day', () => {
    const { waitSeconds, countWrong, trust, pass } = open()
    trust('2001:db8:1:2::9')
    pass(86_400_000)
    for (let count = 0; count < 3; count += 1) countWrong('2001:db8:1:2::1')
    expect(waitSeconds('2001:db8:1:2::1')).toBe(0)
    pass(1)
    expect(waitSeconds('2001:db8:1:2::1')).toBe(60)
  })

  it('is no load balancer: it speaks for many', () => {
    const { waitSeconds, countWrong } = open()
    for (let count = 0; count < 3; count += 1) countWrong('10.0.0.1')
    expect(waitSeconds('10.0.0.1')).toBe(0)
  })
})
