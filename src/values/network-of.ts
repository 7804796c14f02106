import ipaddr from 'ipaddr.js'
import { toPlainAddress } from './address-list.ts'

/**
 * Whom an address counts as, where clients are counted: an IPv6 address as its network of 64 bits, which is what a
 * provider gives to one line; an IPv4 address as itself, also inside IPv6. What is no address stays as it is.
 */
export const networkOf = (address: string): string => {
  const plain = toPlainAddress(address) ?? address
  return plain.includes(':') && ipaddr.IPv6.isValid(plain)
    ? ipaddr.IPv6.parse(plain).toByteArray().slice(0, 8).join('.')
    : plain
}
