import ipaddr from 'ipaddr.js'

/** Azure's WireServer: a public address by every range, yet it answers for the machine it is asked from. */
const DENIED = new Set(['168.63.129.16'])

const GLOBAL_UNICAST_V6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3]

/**
 * Returns whether an address is one that the public internet routes: what a callback may be sent to. IPv4: `ipaddr.js`
 * says `unicast`. IPv6: inside 2000::/3 and `unicast`, which leaves out mapped, translated and tunnelled forms. `text`
 * is an address as `dns` or a URL writes it, IPv6 without brackets; anything that does not parse is not public.
 */
export const isPublicAddress = (text: string): boolean => {
  if (DENIED.has(text) || !ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address.range() !== 'unicast') return false
  return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(GLOBAL_UNICAST_V6)
}

/** What every NAT64 translates to IPv4 (RFC 6052, 2.1), as its first twelve bytes. */
const NAT64_BYTES = ipaddr.IPv6.parse('64:ff9b::').toByteArray().slice(0, 12)

/**
 * The IPv4 address that an IPv6 address leads to by NAT64; any other address as it is. Where a network has no IPv4 of
 * its own, name servers add such an address to every name that has IPv4 alone (DNS64, RFC 6147).
 */
export const behindNat64 = (text: string): string => {
  if (!text.includes(':') || !ipaddr.IPv6.isValid(text)) return text
  const bytes = ipaddr.IPv6.parse(text).toByteArray()
  const isTranslated = NAT64_BYTES.every((byte, index) => byte === bytes[index])
  return isTranslated ? bytes.slice(12).join('.') : text
}
