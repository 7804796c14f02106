import { type AddressList, includesAddress, toPlainAddress } from './address-list.ts'

/**
 * The address that a request really came from. `X-Forwarded-For` is believed from the right, as long as who says it is
 * one of `trustedProxies`: the first address that is none of theirs is the client, and what stands before it anybody
 * could have written. Entries may carry a port, as some proxies write it; one that is no address ends the search at who
 * wrote it.
 */
export const clientAddressOf = (options: {
  /** Who is connected. */
  connected: string
  forwardedFor: string | string[] | undefined
  trustedProxies: AddressList
}): string => {
  const hops = [options.forwardedFor ?? []].flat().join(',').split(',')
  let address = toPlainAddress(options.connected) ?? options.connected
  while (includesAddress(options.trustedProxies, address)) {
    const before = parseHop(hops.pop() ?? '')
    if (before === null) break
    address = before
  }
  return address
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; null for anything else. */
const parseHop = (text: string): string | null => {
  const hop = text.trim()
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
  return toPlainAddress(bare)
}
