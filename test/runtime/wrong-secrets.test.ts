import { expect, it } from 'vitest'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'

const open = () => {
  let nowMs = 1
  const wrongSecrets = createWrongSecrets({ perMinute: 3, nowMs: () => nowMs })
  const show = (address: string, times: number) => {
    for (let count = 0; count < times; count += 1) wrongSecrets.count(address)
  }
  return { ...wrongSecrets, show, pass: (ms: number) => void (nowMs += ms) }
}

it('an address waits for the rest of its minute once it has shown as many as it may', () => {
  const { waitSeconds, show, pass } = open()
  show('192.0.2.1', 2)
  expect(waitSeconds('192.0.2.1')).toBe(0)
  pass(20_500)
  show('192.0.2.1', 1)
  expect(waitSeconds('192.0.2.1')).toBe(40)
  pass(39_400)
  expect(waitSeconds('192.0.2.1')).toBe(1)
  pass(100)
  expect(waitSeconds('192.0.2.1')).toBe(0)
})

it('another address is not made to wait', () => {
  const { waitSeconds, show } = open()
  show('192.0.2.1', 9)
  expect(waitSeconds('192.0.2.2')).toBe(0)
})

it('all addresses of one IPv6 network of 64 bits are one', () => {
  const { waitSeconds, show } = open()
  show('2001:db8:0:1::1', 2)
  show('2001:db8:0:1:ffff::2', 1)
  expect(waitSeconds('2001:db8:0:1::3')).toBe(60)
  expect(waitSeconds('2001:db8:0:2::1')).toBe(0)
})

it('one that turned out to be right is taken back', () => {
  const { waitSeconds, count, show } = open()
  show('192.0.2.1', 2)
  const takeBack = count('192.0.2.1')
  expect(waitSeconds('192.0.2.1')).toBe(60)
  takeBack()
  expect(waitSeconds('192.0.2.1')).toBe(0)
})
