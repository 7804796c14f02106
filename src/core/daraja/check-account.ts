import type { DarajaAccount } from './account.ts'
import { createDarajaClient, type DarajaClient, type Reply } from './client.ts'
import { fieldOf, textOf } from './read-json.ts'
import { readToken, requestToken } from './token.ts'

/** What a check of an account came to, in words for a person; `problem` is null when Daraja gave a token. */
export type AccountCheck = { problem: string | null }

/**
 * Asks Daraja for an access token as the account. That proves the way there, the consumer key and the consumer secret;
 * what the shortcode and the passkey are good for, only a push shows. `baseUrl` is where
 * `client` leads, which is closed at the end, also when the check throws.
 */
export const checkAccount = async (options: {
  client: DarajaClient
  account: DarajaAccount
  baseUrl: string
}): Promise<AccountCheck> => {
  const { client, account, baseUrl } = options
  try {
    const reply = await requestToken(client.send, account)
    return { problem: readToken(reply) === null ? explain(reply, baseUrl) : null }
  } finally {
    await client.close()
  }
}

/** Makes what checks accounts at that Daraja, each over a connection of its own. */
export const checkAccountAt =
  ({ baseUrl, timeoutMs }: { baseUrl: string; timeoutMs: number }) =>
  (account: DarajaAccount): Promise<AccountCheck> =>
    checkAccount({ client: createDarajaClient({ baseUrl, timeoutMs, connections: 1 }), account, baseUrl })

/** Why there is no token, and what to look at. Pure. */
export const explain = (reply: Reply, baseUrl: string): string => {
  const { host } = new URL(baseUrl)
  return reply.kind === 'answered' ? explainAnswer(reply, host) : explainFailure(reply.reason, host)
}

/** The codes of Node and undici that a reason begins with, and what they mean for a person. */
const FAILURES: readonly (readonly [RegExp, (host: string) => string])[] = [
  [
    /^(?:ENOTFOUND|EAI_AGAIN)/,
    (host) => `the name ${host} cannot be resolved: is DARAJA_BASE_URL right, and does DNS work here?`,
  ],
  [/^ECONNREFUSED/, (host) => `nobody listens at ${host}: is DARAJA_BASE_URL right?`],
  [/^(?:EHOSTUNREACH|ENETUNREACH)/, (host) => `there is no way to ${host}: may this machine go out?`],
  [
    /^UND_ERR_CONNECT_TIMEOUT/,
    (host) => `${host} does not answer a connection: does a firewall keep this machine in?`,
  ],
  [/^CERT_HAS_EXPIRED/, (host) => `the certificate of ${host} has expired: is this machine’s clock right?`],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID/,
    (host) => `the certificate is not one of ${host}: is DARAJA_BASE_URL right, or is something in between?`,
  ],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_/,
    (host) => `the certificate of ${host} is not trusted: is something in between that opens TLS?`,
  ],
  [
    /^(?:EPROTO|ERR_SSL)/,
    (host) => `${host} does not speak TLS: is DARAJA_BASE_URL right, https and not http?`,
  ],
  [
    /^(?:TimeoutError|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)/,
    (host) => `${host} took the request and did not answer in time: try again`,
  ],
]

const explainFailure = (reason: string, host: string): string => {
  const known = FAILURES.find(([code]) => code.test(reason))
  return known ? known[1](host) : `the connection to ${host} broke: ${reason}`
}

/** Of what Daraja says in production for wrong credentials there is no body at all. */
const explainAnswer = (reply: Extract<Reply, { kind: 'answered' }>, host: string): string => {
  const [code, message] = ['errorCode', 'errorMessage'].map((name) => textIn(reply, name))
  const isRefusal =
    reply.status === 401 || code === '400.008.01' || (reply.status === 400 && reply.text.trim() === '')
  if (isRefusal) {
    return `${host} does not know this consumer key with this consumer secret: compare both with the app on the Daraja portal, without blanks around them. An app of the sandbox is none in production, nor the other way round: ${appOf(host)}`
  }
  if (/incapsula|<html/i.test(reply.text)) {
    return `the edge in front of Daraja refused this machine (HTTP ${reply.status}, a page instead of an answer): is its address blocked, or too busy? It is not about the account`
  }
  if (reply.status === 429) return `${host} had too many requests of this account: wait and try again`
  if (code !== '') return `${host} answered ${code} ${message}`
  if (reply.status === 200) return `${host} answered without a token: is DARAJA_BASE_URL Daraja’s?`
  return `${host} answered HTTP ${reply.status}: is DARAJA_BASE_URL right?`
}

const textIn = ({ json }: Extract<Reply, { kind: 'answered' }>, name: string): string =>
  (json && textOf(fieldOf(json, name))) ?? ''

const appOf = (host: string): string => {
  if (host.startsWith('sandbox.')) return 'this is the sandbox'
  return /safaricom/.test(host) ? 'this is production' : 'this is neither'
}
