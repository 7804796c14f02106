/** Where deliveries go: the unit that fails, hangs or is paused. */
export type Endpoint = {
  partner_id: bigint
  /** The callback URL's host, with its port unless it is the usual one. */
  host: string
}

/** The host that a callback URL leads to, as endpoints have it; empty for what is no URL. */
export const endpointHost = (callbackUrl: string): string => URL.parse(callbackUrl)?.host ?? ''

/** One text for each endpoint, to be the key of a map. */
export const endpointKey = ({ partner_id, host }: Endpoint): string => `${partner_id} ${host}`
