import { promises as dns } from 'node:dns'
import { isIP } from 'node:net'
import { type AskNameServers, createAskNameServers } from './ask-name-servers.ts'

export type Address = { address: string; family: 4 | 6 }

/** Resolves a host name to its addresses, IPv4 first; rejects with a `dns` error when nobody says what they are. */
export type ResolveHost = (hostname: string) => Promise<Address[]>

export type ResolveWaits = {
  /** How long a name server may be silent before another is asked as well, ms. */
  askAgainMs: number
  /** How long the other family is waited for once one has an address, ms. */
  otherFamilyMs: number
  /** How long all of it may take, ms: below what a connection may take. */
  wholeMs: number
}

export const RESOLVE_WAITS: ResolveWaits = { askAgainMs: 400, otherFamilyMs: 300, wholeMs: 2_500 }

/**
 * Resolves names by asking name servers directly: `dns.lookup` shares four threads, so that one dead name server would
 * delay the deliveries of all partners (law 7). `nameServers` are addresses, with a port where it is not 53; null: the
 * machine's. The machine's own names (`/etc/hosts`, `localhost`) are not known to it; with `allowPrivateNetworks` they
 * are asked for where the machine's name servers know no answer.
 */
export const createResolver = (options: {
  allowPrivateNetworks: boolean
  nameServers: readonly string[] | null
  waits?: ResolveWaits
}): ResolveHost => {
  const { nameServers, waits = RESOLVE_WAITS } = options
  const servers = nameServers === null ? machineServers : () => nameServers
  const ask = createAskNameServers({ servers, askAgainMs: waits.askAgainMs })
  if (!options.allowPrivateNetworks) return (hostname) => askBothFamilies(ask, hostname, waits)
  return async (hostname) => {
    if (isLocalhost(hostname)) return LOCALHOST
    const asked = askBothFamilies(ask, hostname, waits)
    if (nameServers !== null) return asked
    const found = await asked.catch(() => [])
    return found.length > 0 ? found : askMachine(hostname)
  }
}

/** Asked for again each time: they change where a machine changes its network. */
const machineServers = (): string[] => new dns.Resolver().getServers()

/**
 * Asks for both families at once. There are name servers that drop what they do not know, AAAA above all: so once a
 * family has an address the other is waited for a little longer and no more, and its answer is then missing, not empty.
 * Nobody may take what came for all there is: whoever connects judges the very address that is connected to.
 */
const askBothFamilies = async (
  ask: AskNameServers,
  hostname: string,
  waits: ResolveWaits,
): Promise<Address[]> => {
  const over = new AbortController()
  const late = Promise.withResolvers<void>()
  const endAfter = (ms: number): NodeJS.Timeout => setTimeout(late.resolve, ms)
  const timers = [endAfter(waits.wholeMs)]
  const found: Address[] = []
  const askFamily = async (family: 4 | 6): Promise<void> => {
    const addresses = await ask({ hostname, family }, over.signal)
    found.push(...addresses.map((address) => ({ address, family })))
    if (addresses.length > 0) timers.push(endAfter(waits.otherFamilyMs))
  }
  const answers = Promise.allSettled([askFamily(4), askFamily(6)])
  const ended = await Promise.race([answers, late.promise])
  over.abort()
  for (const timer of timers) clearTimeout(timer)
  const failure = ended ? ended.find((answer) => answer.status === 'rejected')?.reason : noAnswer()
  if (found.length === 0 && failure !== undefined) throw failure
  return found.toSorted((one, other) => one.family - other.family)
}

const noAnswer = (): NodeJS.ErrnoException =>
  Object.assign(new Error('the name servers did not answer in time'), { code: 'ETIMEOUT' })

const LOCALHOST: Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** `localhost` and all names below it are this machine (RFC 6761, 6.3). */
const isLocalhost = (hostname: string): boolean => /^(?:.*\.)?localhost\.?$/i.test(hostname)

const askMachine = async (hostname: string): Promise<Address[]> => {
  const found = await dns.lookup(hostname, { all: true })
  return found.map(({ address }) => ({ address, family: isIP(address) === 6 ? 6 : 4 }))
}
