import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { invalid, type Parsed, valid } from './parsed.ts'

/** Addresses and ranges of them, each with the bits that count. */
export type AddressList = readonly (readonly [ipaddr.IPv4 | ipaddr.IPv6, number])[]

/** Parses addresses and CIDR ranges separated by commas, like `196.201.214.200,10.0.0.0/8,2001:db8::/32`. */
export const parseAddressList = (text: string): Parsed<AddressList> => {
  const entries = text.split(',').map((entry) => parseEntry(entry.trim()))
  const list = entries.filter((entry) => entry !== null)
  return list.length === entries.length
    ? valid(list)
    : invalid('must be IP addresses or CIDR ranges separated by commas, like "10.0.0.7,192.168.0.0/16"')
}

/**
 * An address in its one plain form, an IPv4 address that travels inside IPv6 (`::ffff:1.2.3.4`, as dual-stack sockets
 * report it) as IPv4; null when the text is no address.
 */
export const toPlainAddress = (text: string): string | null =>
  // Nearly every request has one of these, which are plain as they are; parsing one costs more than routing it.
  isIPv4(text) ? text : (parseAddress(text)?.toString() ?? null)

/** Returns whether an address is on the list; what is no address is on none. */
export const includesAddress = (list: AddressList, text: string): boolean => {
  if (list.length === 0) return false
  const address = parseAddress(text)
  return address !== null && list.some(([range, bits]) => isWithin(address, range, bits))
}

const parseEntry = (entry: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | null => {
  const [text = '', bitsText, ...rest] = entry.split('/')
  const address = parseAddress(text)
  if (address === null || rest.length > 0) return null
  const allBits = address.kind() === 'ipv4' ? 32 : 128
  if (bitsText === undefined) return [address, allBits]
  return /^\d{1,3}$/.test(bitsText) && Number(bitsText) <= allBits ? [address, Number(bitsText)] : null
}

/**
 * `ipaddr.js` also takes the old forms of IPv4 (`127.1`, `0x7f.0.0.1`), which mean different things to different
 * readers.
 */
const parseAddress = (text: string): ipaddr.IPv4 | ipaddr.IPv6 | null =>
  ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text) ? ipaddr.process(text) : null

const isWithin = (
  address: ipaddr.IPv4 | ipaddr.IPv6,
  range: ipaddr.IPv4 | ipaddr.IPv6,
  bits: number,
): boolean => {
  if (address instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && address.match(range, bits)
  return range instanceof ipaddr.IPv6 && address.match(range, bits)
}
