import ipaddr from 'ipaddr.js'
import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'
import { isPublicAddress } from './public-address.ts'

/** A URL that outcomes may be POSTed to, as the partner wrote it. */
export type CallbackUrl = Brand<string, 'CallbackUrl'>

/** What one machine's trial needs and production must not have; both off by default. */
export type CallbackUrlPolicy = { allowHttp: boolean; allowPrivateNetworks: boolean }

export const MAX_CALLBACK_URL_CHARACTERS = 2048

/** Ports at or above 1024 where something else than a web server usually listens. */
const DENIED_PORTS = new Set([
  1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 4222, 5432, 5672, 5900, 5984, 6222, 6379, 6443, 8222,
  9042, 9092, 9200, 9300, 10250, 11211, 15672, 27017,
])

/**
 * Top-level names that never lead to the public internet: special-use ones (RFC 2606, 6761, 6762, 7686, 8375, 9476),
 * those that ICANN keeps out of the root (`internal`, `corp`, `home`, `mail`), and the habits of houses and of
 * clusters.
 */
const PRIVATE_ENDINGS = new Set([
  'svc',
  'cluster',
  'pod',
  'kube',
  'consul',
  'nomad',
  'mesos',
  'marathon',
  'swarm',
  'docker',
  'containers',
  'podman',
  'lxd',
  'rancher',
  'mesh',
  'mail',
  'dhcp',
  'domain',
  'workgroup',
  'localhost',
  'local',
  'localdomain',
  'internal',
  'intranet',
  'corp',
  'home',
  'lan',
  'private',
  'onion',
  'test',
  'example',
  'invalid',
  'alt',
  'arpa',
])

/** Letters alone, or a name of another script: the root has no others (`k8s`, `kube-system`). */
const PUBLIC_ENDING = /^(?:[a-z]+|xn--[a-z0-9-]+)$/

const NOT_PUBLIC = 'must lead to a public host: not to a private, loopback or special address or name'

/**
 * Judges a `callback_url` as raw text first, because WHATWG parsing repairs hostile strings into live hosts, then
 * parses it and holds the repaired host against what was written. No name is resolved here: addresses are judged again
 * at dial time. The URL is kept as written; a fragment is accepted and never sent. Null is what is no string.
 */
export const parseCallbackUrl = (text: string | null, policy: CallbackUrlPolicy): Parsed<CallbackUrl> => {
  if (text === '') return invalid('is required')
  if (text !== null && text.length > MAX_CALLBACK_URL_CHARACTERS)
    return invalid(`must be at most ${MAX_CALLBACK_URL_CHARACTERS} characters long`)
  if (text === null || !/^[\x21-\x7e]+$/.test(text) || text.includes('\\')) {
    return invalid(
      'must be a URL in printable ASCII without spaces or backslashes, like "https://shop.co.ke/callback"',
    )
  }
  const written = /^(https?):\/\/([^/?#]+)/i.exec(text)
  const scheme = written?.[1]?.toLowerCase()
  const authority = written?.[2]
  if (scheme === undefined || authority === undefined || (scheme === 'http' && !policy.allowHttp)) {
    return invalid('must start with https:// and a host, like "https://shop.co.ke/callback"')
  }
  if (authority.includes('@')) return invalid('must not hold a user name or password')
  const problem = judgeAuthority(text, authority.toLowerCase(), policy)
  return problem === null ? valid(text as CallbackUrl) : invalid(problem)
}

const judgeAuthority = (text: string, authority: string, policy: CallbackUrlPolicy): string | null => {
  const url = URL.parse(text)
  if (url === null) return 'must hold a valid host and a port from 1 to 65535'
  const host = authority.replace(/:\d*$/, '')
  return judgePort(url, policy) ?? (policy.allowPrivateNetworks ? null : judgeHost(host, url.hostname))
}

const judgePort = (url: URL, policy: CallbackUrlPolicy): string | null => {
  if (url.port === '') return null
  const port = Number(url.port)
  if (port === 443 || (port === 80 && policy.allowHttp)) return null
  if (port >= 1024 && !DENIED_PORTS.has(port)) return null
  return 'must use port 443, or one from 1024 up where no database or broker usually listens'
}

/** `written` is the host as the partner wrote it, in lower case; `parsed` is what the URL parser made of it. */
const judgeHost = (written: string, parsed: string): string | null => {
  if (parsed.startsWith('['))
    return isPublicAddress(parsed.slice(1, -1)) && sameIpv6(written, parsed) ? null : NOT_PUBLIC
  if (written !== parsed) return NOT_PUBLIC
  // WHATWG parsing makes an IPv4 address of every host whose last label is a number.
  if (/\.\d+$/.test(parsed)) return isPublicAddress(parsed) ? null : NOT_PUBLIC
  return judgeName(parsed.replace(/\.$/, ''))
}

const sameIpv6 = (written: string, parsed: string): boolean => {
  const inner = written.slice(1, -1)
  return (
    ipaddr.IPv6.isValid(inner) &&
    ipaddr.IPv6.parse(inner).toNormalizedString() ===
      ipaddr.IPv6.parse(parsed.slice(1, -1)).toNormalizedString()
  )
}

const judgeName = (name: string): string | null => {
  const labels = name.split('.')
  const wellFormed = labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  if (!wellFormed || name.length > 253) return 'must hold a valid host name'
  const ending = labels.at(-1) ?? ''
  return labels.length < 2 || PRIVATE_ENDINGS.has(ending) || !PUBLIC_ENDING.test(ending) ? NOT_PUBLIC : null
}
