import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import type { Callback } from './rest-types.ts'

/** An outcome that the gateway signed. */
export type VerifiedCallback = {
  /** Names the outcome: the same for every attempt to deliver it. Keep those that are handled, and answer 2xx to them. */
  webhookId: string
  /** Null for real money; else `payment` for a test payment, or the name of a sample: deliver no goods for them. */
  test: string | null
  outcome: Callback
}

/** Headers as Node has them, or those of a `Request`. */
type GivenHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

const headerOf = (headers: GivenHeaders, name: string): string | null => {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  return typeof value === 'string' && value !== '' ? value : null
}

const requiredHeader = (headers: GivenHeaders, name: string): string => {
  const value = headerOf(headers, name)
  if (value === null) throw new WebhookVerificationError(`${name} is missing`)
  return value
}

/**
 * The outcome in a POST to a `callback_url`, if the gateway signed exactly this body within the last five minutes. `body`: the
 * bytes or the text as it came, before any JSON is parsed. `secret`: `whsec_…`, the old one or the new one while it is
 * replaced. Throws when it is not from the gateway: answer 401.
 */
export const verifyCallback = (
  secret: string,
  headers: GivenHeaders,
  body: string | Uint8Array,
): VerifiedCallback => {
  const signed = {
    'webhook-id': requiredHeader(headers, 'webhook-id'),
    'webhook-timestamp': requiredHeader(headers, 'webhook-timestamp'),
    'webhook-signature': requiredHeader(headers, 'webhook-signature'),
  }
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8')
  new Webhook(secret).verify(text, signed)
  const outcome: Callback = JSON.parse(text)
  return { webhookId: signed['webhook-id'], test: headerOf(headers, 'x-gateway-test'), outcome }
}
