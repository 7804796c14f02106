import { promises as dns } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { callbackify } from 'node:util'
import { isPublicAddress } from '../values/public-address.ts'
import { BlockedAddress } from './classify-error.ts'

export type Address = { address: string; family: 4 | 6 }

/** Resolves a host name to all its addresses; rejects with a `dns` error when it has none. */
export type ResolveHost = (hostname: string) => Promise<Address[]>

/** One try to ask a name server, ms; there are two. */
const TRY_MS = 1_000

/** All tries together, also with several name servers, ms: below what a connection may take. */
const RESOLVE_MS = 2_500

/**
 * Resolves names by asking name servers directly: `dns.lookup` shares four threads, so that one dead name server would delay
 * the deliveries of all partners (law 7). `nameServers` are addresses, with a port where it is not 53; null: the machine's.
 * The machine's own names (`/etc/hosts`, `localhost`) are not known to it; with `allowPrivateNetworks` they are asked for
 * where the machine's name servers know no answer.
 */
export const createResolver = (options: {
  allowPrivateNetworks: boolean
  nameServers: readonly string[] | null
}): ResolveHost => {
  const resolver = new dns.Resolver({ timeout: TRY_MS, tries: 2 })
  if (options.nameServers !== null) resolver.setServers(options.nameServers)
  const ask = async (hostname: string): Promise<Address[]> => {
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    const [v4] = answers
    if (addresses.length === 0 && v4.status === 'rejected') throw v4.reason
    return addresses.map(toAddress)
  }
  if (!options.allowPrivateNetworks) return (hostname) => inTime(ask(hostname))
  return async (hostname) => {
    if (isLocalhost(hostname)) return LOCALHOST
    const asked = inTime(ask(hostname))
    return options.nameServers === null ? asked.catch(() => askMachine(hostname)) : asked
  }
}

const toAddress = (address: string): Address => ({ address, family: isIP(address) === 6 ? 6 : 4 })

const LOCALHOST: Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** `localhost` and all names below it are this machine (RFC 6761, 6.3). */
const isLocalhost = (hostname: string): boolean => /^(.*\.)?localhost\.?$/i.test(hostname)

const askMachine = async (hostname: string): Promise<Address[]> => {
  const found = await dns.lookup(hostname, { all: true })
  return found.map(({ address }) => toAddress(address))
}

const inTime = async (asked: Promise<Address[]>): Promise<Address[]> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const error = Object.assign(new Error('the name servers did not answer in time'), { code: 'ETIMEOUT' })
    timer = setTimeout(() => reject(error), RESOLVE_MS)
  })
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Decides which addresses may be connected to. */
export type AddressGuard = {
  /** For every connection to a name: resolves it, and fails with `BlockedAddress` when any of its addresses is refused. */
  lookup: LookupFunction
  /** For every attempt: throws `BlockedAddress` when a URL's host is an address that is refused. */
  refuseLiteral(hostname: string): void
}

/** The addresses of this machine: what listens on them trusts its neighbours more than the internet. */
export const ownAddresses = (): Set<string> =>
  new Set(
    Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map((one) => one.address)),
  )

/**
 * Lets through what `isPublicAddress` says is public and is not this machine. One refused address among several refuses the
 * name, for the connection is made to whichever answers; and it is made to what `lookup` returned, so that no second answer
 * of a name server comes between check and use. Connections to literal addresses are made without a `lookup`, so they have a
 * check of their own. With `allowPrivateNetworks` everything passes. `isPublic` stands in for `isPublicAddress` where a test
 * needs a public address that it can listen on.
 */
export const createAddressGuard = (options: {
  allowPrivateNetworks: boolean
  resolve: ResolveHost
  ownAddresses: () => Set<string>
  isPublic?: (address: string) => boolean
}): AddressGuard => {
  const isPublic = options.isPublic ?? isPublicAddress
  const mayConnect = (address: string): boolean =>
    options.allowPrivateNetworks || (isPublic(address) && !options.ownAddresses().has(address))

  const find = async (hostname: string, family: number | string | undefined): Promise<Address[]> => {
    const addresses = await options.resolve(hostname)
    if (!addresses.every(({ address }) => mayConnect(address)))
      throw new BlockedAddress('the name leads to an address that is not public')
    return addresses.filter((one) => isOfFamily(one, family))
  }

  const findThen = callbackify(find)
  const lookup: LookupFunction = (hostname, { all, family }, callback) => {
    findThen(hostname, family, (error, found) => {
      const [first] = found ?? []
      if (error !== null || first === undefined) callback(error ?? noAddress(), '', 0)
      else if (all === true) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }

  const refuseLiteral = (hostname: string): void => {
    const address = hostname.replaceAll(/^\[|\]$/g, '')
    if (isIP(address) !== 0 && !mayConnect(address))
      throw new BlockedAddress('the address is not a public one')
  }
  return { lookup, refuseLiteral }
}

const isOfFamily = (address: Address, family: number | string | undefined): boolean =>
  family === undefined || family === 0 || family === address.family || family === `IPv${address.family}`

const noAddress = (): NodeJS.ErrnoException =>
  Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' })
