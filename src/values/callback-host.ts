import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A host, or `*.` and a name that stands for every host below it. */
export type CallbackHost = Brand<string, 'CallbackHost'>

/** Parses one entry of a list of allowed hosts, without a port, in lower case. */
export const parseCallbackHost = (text: string): Parsed<CallbackHost> => {
  const host = text.toLowerCase()
  const isName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/
  const labels = host.replace(/^\*\./, '')
  const isWide = host.startsWith('*.') && !labels.includes('.')
  return host.length <= 253 && isName.test(labels) && !isWide
    ? // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this is the parser
      valid(host as CallbackHost)
    : invalid('must be hosts like shop.co.ke, or *.shop.co.ke for every host below it, without a port')
}

/** Whether a URL leads to one of the hosts. `*.shop.co.ke` stands for what is below `shop.co.ke`, not for itself. */
export const leadsToHost = (url: string, hosts: readonly string[]): boolean => {
  const host = URL.parse(url)?.hostname.replace(/\.$/, '') ?? ''
  return hosts.some((one) => (one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one))
}
