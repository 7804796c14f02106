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

export const url = (protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  })

/**
 * Postgres, at one address: `pg` reads none of libpq's lists of hosts, and would look for one host of that whole name.
 */
export const databaseUrl = url(['postgres:', 'postgresql:']).refine(
  (text) => !hostsOf(URL.parse(text)).includes(','),
  'must name one host: an address that leads to whichever Postgres is the primary',
)

const hostsOf = (url: URL | null): string =>
  url === null ? '' : decodeURIComponent(url.host) + (url.searchParams.get('host') ?? '')

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

export const publicUrl = url(['http:', 'https:'])
  .refine((value) => !FORBIDDEN_IN_CALLBACK_URLS.test(value), {
    error:
      'must not hold mpesa, safaricom, exe, exec, cmd, sql or query: Daraja refuses callback URLs with these words',
  })
  .refine((value) => !TUNNEL_HOSTS.test(value), { error: 'must not be a public tunnel: Daraja blocks them' })
  .refine((value) => !/^https?:\/\/[^/]*[A-Z]/.test(value), {
    error: 'must have its host in lower case: Daraja may refuse capitals',
  })
  .transform((value) => value.replace(/(?<!\/)\/+$/, ''))
