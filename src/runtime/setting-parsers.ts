import { Resolver } from 'node:dns'
import { z } from 'zod'
import { parseAddressList } from '../values/address-list.ts'

// How the texts of settings are read. A refusal's message ends the sentence that starts with the variable's name.

export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port from 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port from 0 to 65535')

export const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)

/** Written out, too: what is made of it goes by its text, and `URL` takes `https:host` for a whole one. */
const isUrl = (text: string, protocols: readonly string[]): boolean => {
  const protocol = URL.parse(text)?.protocol ?? ''
  return protocols.includes(protocol) && text.toLowerCase().startsWith(`${protocol}//`)
}

export const url = (protocols: string[]) =>
  z.string().refine((text) => isUrl(text, protocols), {
    error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  })

/** The address of the console, whose pages have paths of their own. */
export const consoleUrl = url(['http:', 'https:'])
  .refine((text) => isOrigin(URL.parse(text)), {
    error: 'must be a host and at most a port: no path, no user, no query (?), no fragment (#)',
  })
  .transform((text) => text.replace(/\/$/, ''))

const isOrigin = (url: URL | null): boolean =>
  url === null || (url.username + url.password + url.search + url.hash === '' && url.pathname === '/')

/** A web address that paths are put behind. */
export const baseUrl = url(['http:', 'https:'])
  .refine((text) => !/[\s?#]/.test(text) && isWithoutUser(text), {
    error: 'must be a host and at most a path: no user, no query (?), no fragment (#), no blank',
  })
  .transform((text) => text.replace(/(?<!\/)\/+$/, ''))

const isWithoutUser = (text: string): boolean => {
  const parsed = URL.parse(text)
  return parsed === null || parsed.username + parsed.password === ''
}

const NATS_PROTOCOLS = ['nats:', 'tls:']

/** The servers of one NATS, as URLs separated by commas; `src/queue/connect.ts` connects to whichever answers. */
export const natsUrl = z
  .string()
  .refine((text) => text.split(',').every((one) => isUrl(one.trim(), NATS_PROTOCOLS)), {
    error:
      'must be a URL that starts with nats:// or tls://, or several separated by commas, like "nats://first:4222,nats://second:4222"',
  })
  .refine((text) => new Set(partsOf(text, ({ protocol }) => protocol)).size <= 1, {
    error: 'must have nats:// for all its servers, or tls:// for all of them',
  })
  .refine(
    (text) => {
      const given = partsOf(text, ({ username, password }) => `${username}:${password}`)
      return given.every((one) => one === given[0] || one === ':')
    },
    { error: 'must have its user and password at the first server; the others the same, or none' },
  )
  .refine(
    (text) =>
      partsOf(text, ({ username, password }) => username + password).every((one) => !BARE_PERCENT.test(one)),
    { error: 'must have a % of its user or password as %25' },
  )
  // What a log must mask is read from the text, so it is handed on as a text.
  .transform((text) => text.replaceAll(' ', ''))

const BARE_PERCENT = /%(?![\da-f]{2})/i

/** Something of each server's URL; nothing of one that is none, which another check has refused. */
const partsOf = (text: string, part: (url: URL) => string): string[] =>
  text.split(',').flatMap((one) => {
    const parsed = URL.parse(one.trim())
    return parsed === null ? [] : [part(parsed)]
  })

/**
 * Postgres, at one address: `pg` reads none of libpq's lists of hosts, and would look for one host of that whole name.
 */
export const databaseUrl = z
  .string()
  .refine((text) => isUrl(text, POSTGRES_PROTOCOLS), {
    error:
      "must be a URL that starts with postgres:// or postgresql://, a password's # / ? @ % as %23 %2F %3F %40 %25",
  })
  .refine((text) => !SEVERAL_HOSTS.test(hostsOf(URL.parse(text))), {
    error: 'must name one host: an address that leads to whichever Postgres is the primary',
  })

const POSTGRES_PROTOCOLS = ['postgres:', 'postgresql:']

/** A comma, written in whichever way, or what is no character of a name. */
const SEVERAL_HOSTS = /,|%2c|%(?![\da-f]{2})/i

const hostsOf = (url: URL | null): string =>
  url === null ? '' : url.host + (url.searchParams.get('host') ?? '')

export const flag = z
  .enum(['0', '1', 'off', 'on', 'false', 'true'], 'must be on or off')
  .transform((text) => ['1', 'on', 'true'].includes(text))

export const host = z.string().regex(/^[A-Za-z0-9.:_-]+$/, 'must be a host name or an IP address')

export const secretKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, 'must be 32 bytes as 64 hexadecimal digits, as `openssl rand -hex 32` prints')
  .transform((hex) => Buffer.from(hex, 'hex'))

export const text = z.string().min(1, 'must not be empty')

/** Whole milliseconds from one to a week. */
export const milliseconds = wholeNumber(1, 604_800_000)

const SECONDS_PER_UNIT: Record<string, number> = { s: 1, m: 60, h: 3600 }

/** `0s,2s,5m,1h` → milliseconds of each step. The first is 0: an outcome is delivered at once. */
export const schedule = z
  .string()
  .regex(/^0s(,\d{1,6}[smh])*$/, 'must be durations separated by commas, the first 0s, like "0s,2s,15m,1h"')
  .transform((value) =>
    value
      .split(',')
      .map((step) => Number(step.slice(0, -1)) * (SECONDS_PER_UNIT[step.slice(-1)] ?? 0) * 1000),
  )

export const addressList = z.string().transform((value, context) => {
  const parsed = parseAddressList(value)
  if (parsed.ok) return parsed.value
  context.addIssue(parsed.problem)
  return z.NEVER
})

/** `https://a.example,https://b.example` → the origins, as browsers send them. */
export const origins = z
  .string()
  .transform((value) => value.split(',').map((entry) => entry.trim()))
  .refine((entries) => entries.every((entry) => URL.parse(entry)?.origin === entry), {
    error: 'must be origins separated by commas, like "https://console.example.co.ke"',
  })

/** `192.0.2.53,[2001:db8::53]:5353` → the name servers, as `node:dns` takes them. */
export const nameServers = z
  .string()
  .transform((value) => value.split(',').map((entry) => entry.trim()))
  .refine((entries) => areNameServers(entries), {
    error:
      'must be IP addresses separated by commas, with a port where it is not 53, like "10.0.0.2,[fd00::53]:5353"',
  })

/** Node is asked, for it is Node that must understand them. */
const areNameServers = (entries: string[]): boolean => {
  try {
    new Resolver().setServers(entries)
    return true
  } catch {
    return false
  }
}

/** `name=0.1,other=1` → each name with its probability. */
export const probabilities = z
  .string()
  .regex(
    /^[a-z0-9-]+=(0|1|0?\.\d{1,9})(,[a-z0-9-]+=(0|1|0?\.\d{1,9}))*$/,
    'must be names with probabilities from 0 to 1, like "calls-back-twice=0.1,token-html-503=0.05"',
  )
  .transform((value) => value.split(',').map((entry) => entry.split('=')))
  .refine((entries) => new Set(entries.map(([name]) => name)).size === entries.length, {
    error: 'must not name anything twice',
  })
  .transform((entries) => new Map(entries.map(([name = '', probability]) => [name, Number(probability)])))

/** What Daraja refuses anywhere in a callback URL, in any case. */
const FORBIDDEN_IN_CALLBACK_URLS = /mpesa|safaricom|exe|cmd|sql|query/i

/** Public tunnels, which Daraja usually blocks. */
const TUNNEL_HOSTS = /ngrok|requestbin/i

export const publicUrl = baseUrl
  .refine((value) => !FORBIDDEN_IN_CALLBACK_URLS.test(value), {
    error:
      'must not hold mpesa, safaricom, exe, exec, cmd, sql or query: Daraja refuses callback URLs with these words',
  })
  .refine((value) => !TUNNEL_HOSTS.test(value), { error: 'must not be a public tunnel: Daraja blocks them' })
  .refine((value) => !/^https?:\/\/[^/]*[A-Z]/.test(value), {
    error: 'must have its host in lower case: Daraja may refuse capitals',
  })

/** An operator sets it, so it may lead anywhere; a user and password in it would stand in the database. */
export const signalUrl = url(['http:', 'https:'])
  .refine(isWithoutUser, {
    error: 'must hold no user and no password: signals are signed with SIGNAL_SECRET',
  })
  .refine((text) => !text.includes('#'), { error: 'must have no fragment (#)' })

const SIGNAL_SECRET = /^whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** `whsec_…,whsec_…` → the secrets, each of 24 to 64 bytes, as Standard Webhooks has them. */
export const signalSecrets = z
  .string()
  .transform((value) => value.split(',').map((entry) => entry.trim()))
  .refine((entries) => entries.length <= 2 && entries.every((entry) => SIGNAL_SECRET.test(entry)), {
    error:
      'must be whsec_ and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` prints, or two such separated by a comma',
  })
