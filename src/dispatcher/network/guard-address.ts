import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { behindNat64, isPublicAddress } from '../../values/public-address.ts'
import { BlockedAddress } from './classify-error.ts'
import type { Address, ResolveHost } from './resolve-host.ts'

/** Decides which addresses may be connected to. */
export type AddressGuard = {
  /**
   * Resolves with where a URL's host leads; rejects with `BlockedAddress` when any of its addresses is refused, and
   * with a `dns` error when it has none.
   */
  find(hostname: string): Promise<Address[]>
  /** For every connection: throws `BlockedAddress` when the address is refused. */
  refuse(address: string): void
  /**
   * For every attempt, also one on an open connection: throws `BlockedAddress` when a URL's host is a refused address.
   */
  refuseLiteral(hostname: string): void
}

/** How long what was seen of this machine's addresses counts, ms: a look takes longer than all else that a POST does. */
const SEEN_FOR_MS = 1_000

/**
 * The addresses of this machine: what listens on them trusts its neighbours more than the internet. `nowMs` is
 * monotonic, ms; `look` says what this machine has.
 */
export const createOwnAddresses = (nowMs: () => number, look = networkInterfaces): (() => Set<string>) => {
  let seen = new Set<string>()
  let seenAtMs = Number.NEGATIVE_INFINITY
  return () => {
    if (nowMs() - seenAtMs < SEEN_FOR_MS) return seen
    seen = new Set(Object.values(look()).flatMap((addresses) => (addresses ?? []).map((one) => one.address)))
    seenAtMs = nowMs()
    return seen
  }
}

/**
 * Lets through what `isPublicAddress` says is public and is not this machine; of IPv4 behind NAT64 it is the IPv4
 * address that is judged. One refused address among several refuses the name. That gives a clear error for a wrong
 * configuration; what keeps connections off is that each is judged by the address it is made to, and made to that
 * address and no name: so neither a second answer of a name server nor one that is missing comes between check and use.
 * With `allowPrivateNetworks` everything passes. `isPublic` stands in for `isPublicAddress` where a test needs a public
 * address that it can listen on.
 */
export const createAddressGuard = (options: {
  allowPrivateNetworks: boolean
  resolve: ResolveHost
  ownAddresses: () => Set<string>
  isPublic?: (address: string) => boolean
}): AddressGuard => {
  const isPublic = options.isPublic ?? isPublicAddress
  const mayConnect = (address: string): boolean => {
    const meant = behindNat64(address)
    return options.allowPrivateNetworks || (isPublic(meant) && !options.ownAddresses().has(meant))
  }

  const refuse = (address: string): void => {
    if (!mayConnect(address)) throw new BlockedAddress('the address is not a public one')
  }
  const find = async (hostname: string): Promise<Address[]> => {
    const literal = toAddress(hostname)
    const addresses = literal === null ? await options.resolve(hostname) : [literal]
    for (const { address } of addresses) refuse(address)
    if (addresses.length === 0) throw noAddress()
    return addresses
  }
  const refuseLiteral = (hostname: string): void => {
    const literal = toAddress(hostname)
    if (literal !== null) refuse(literal.address)
  }
  return { find, refuse, refuseLiteral }
}

/** The address that a URL's host is; null where it is a name. */
const toAddress = (hostname: string): Address | null => {
  const address = hostname.replaceAll(/^\[|\]$/g, '')
  const family = isIP(address)
  return family === 0 ? null : { address, family: family === 6 ? 6 : 4 }
}

const noAddress = (): NodeJS.ErrnoException =>
  Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' })
