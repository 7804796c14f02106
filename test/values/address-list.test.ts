import { describe, expect, it } from 'vitest'
import { includesAddress, parseAddressList, toPlainAddress } from '../../src/values/address-list.ts'

const listOf = (text: string) => {
  const parsed = parseAddressList(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

describe('a list of addresses', () => {
  it.each([
    ['196.201.214.200', '196.201.214.200', true],
    ['196.201.214.200', '196.201.214.201', false],
    ['196.201.214.200', '::ffff:196.201.214.200', true],
    ['::ffff:196.201.214.200', '196.201.214.200', true],
    ['10.0.0.0/8, 192.168.1.0/24', '10.255.0.1', true],
    ['10.0.0.0/8, 192.168.1.0/24', '192.168.1.77', true],
    ['10.0.0.0/8, 192.168.1.0/24', '192.168.2.1', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::5', false],
    ['2001:db8::1', '2001:0db8:0:0::1', true],
    ['10.0.0.0/8', '', false],
    ['10.0.0.0/8', '10.1', false],
    ['10.0.0.0/8', 'ten', false],
  ])('%s: is %s on it? %s', (text, address, isIncluded) => {
    expect(includesAddress(listOf(text), address)).toBe(isIncluded)
  })

  it.each([
    '',
    ',',
    '10.0.0.1,',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '127.1',
    '0x7f.0.0.1',
    'host',
    '2001:db8::/129',
  ])('refuses %j', (text) => {
    expect(parseAddressList(text)).toMatchObject({ ok: false })
  })

  it.each([
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:0DB8::0001', '2001:db8::1'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.1', null],
    ['unknown', null],
  ])('%s is plainly %s', (text, plain) => {
    expect(toPlainAddress(text)).toBe(plain)
  })
})
