import type { Endpoint } from '../../values/endpoint.ts'

// Where a sentence leads: what is typed, and the page of the console. No number of a payer and no secret is in either.

/** Pages of the console, with the filter in the address. */
export const PATHS = {
  accounts: '/partners/accounts',
  approvals: '/approvals',
  endpoints: '/deliveries/endpoints',
  exceptions: '/exceptions',
  payments: '/payments',
  traffic: '/traffic',
} as const

/** The deliveries of an endpoint in one state. */
export const deliveriesPath = ({ partner_id, host }: Endpoint, state: 'held' | 'dead' | 'pending'): string =>
  `/deliveries?${new URLSearchParams({ partner: String(partner_id), host, state }).toString()}`

/** What is typed about one endpoint: `deliveries probe`, `deliveries resume`. */
export const endpointCommand = (words: string, { partner_id, host }: Endpoint): string =>
  `gateway ${words} --partner ${partner_id} --host ${host}`
