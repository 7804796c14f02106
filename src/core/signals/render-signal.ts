import { cleanText } from '../../values/outside-text.ts'

// What operators are told by a signal. A type that is there stays, and so do its fields.

/** An endpoint and its partner. */
export type SignalledEndpoint = { partner_id: number; partner: string; host: string }

/** What each type of signal tells; of many, `count` is how many they are and the list holds the first 20. */
export type Signal =
  | {
      type: 'delivery.dead'
      /** By endpoint and class of error, the most first; `newest_delivery_id` is one of them. */
      data: {
        count: number
        endpoints: (SignalledEndpoint & {
          count: number
          error_class: string | null
          newest_delivery_id: number
        })[]
      }
    }
  | {
      type: 'payment.finding'
      data: {
        count: number
        findings: { payment_id: number; partner_id: number; kind: string; at: Date }[]
      }
    }
  | {
      type: 'endpoint.down'
      /** Why the last attempt of a delivery that is held for it failed; null where that is not known. */
      data: {
        count: number
        endpoints: (SignalledEndpoint & {
          since: Date
          error_class: string | null
          status: number | null
        })[]
      }
    }
  | {
      type: 'endpoint.back'
      data: { count: number; endpoints: (SignalledEndpoint & { since: Date; until: Date })[] }
    }
  | { type: 'daraja.holding_off'; data: { count: number; accounts: { shortcode: string; since: Date }[] } }
  | {
      type: 'daraja.back'
      data: { count: number; accounts: { shortcode: string; since: Date; until: Date }[] }
    }
  /** So many payments are open for longer than `after_seconds`. */
  | { type: 'payments.overdue'; data: { count: number; after_seconds: number } }
  | { type: 'payments.caught_up'; data: { since: Date; until: Date } }

export type SignalType = Signal['type']

/** The body of a signal: its type, when it was written, one sentence for a person, and the same as data. */
export const renderSignal = (signal: Signal, at: Date): string =>
  cleanText(JSON.stringify({ type: signal.type, timestamp: at, text: sentenceOf(signal), data: signal.data }))

/** How many of a list a sentence names. */
const NAMED = 3

const sentenceOf = (signal: Signal): string => {
  switch (signal.type) {
    case 'delivery.dead':
      return `${counted(signal.data.count, 'delivery is dead', 'deliveries are dead')}: ${named(
        signal.data.endpoints,
        (one) => `${one.count} of ${endpointText(one)}${because(one.error_class)}`,
      )}.`
    case 'payment.finding':
      return `${counted(signal.data.count, 'report does not fit its payment', 'reports do not fit their payments')}: ${named(
        signal.data.findings,
        (one) => `payment ${one.payment_id} (${one.kind})`,
      )}.`
    case 'endpoint.down':
      return `${counted(signal.data.count, 'endpoint is down', 'endpoints are down')}: ${named(
        signal.data.endpoints,
        (one) =>
          `${endpointText(one)}${because(one.status === null ? one.error_class : `HTTP ${one.status}`)}`,
      )}.`
    case 'endpoint.back':
      return `${counted(signal.data.count, 'endpoint is back', 'endpoints are back')}: ${named(signal.data.endpoints, endpointText)}.`
    case 'daraja.holding_off':
      return `Daraja holds us off: ${named(signal.data.accounts, ({ shortcode }) => `shortcode ${shortcode}`)}.`
    case 'daraja.back':
      return `Daraja takes payments again: ${named(signal.data.accounts, ({ shortcode }) => `shortcode ${shortcode}`)}.`
    case 'payments.overdue':
      return `${counted(signal.data.count, 'payment is', 'payments are')} still open after ${signal.data.after_seconds} seconds.`
    case 'payments.caught_up':
      return 'No payment is overdue any more.'
    default:
      return signal satisfies never
  }
}

const counted = (count: number, one: string, many: string): string =>
  count === 1 ? `1 ${one}` : `${count} ${many}`

const because = (reason: string | null): string => (reason === null ? '' : ` (${reason})`)

const endpointText = ({ partner, host }: SignalledEndpoint): string => `${partner} at ${host}`

const named = <Item>(items: readonly Item[], textOf: (item: Item) => string): string => {
  const more = items.length - NAMED
  return [...items.slice(0, NAMED).map(textOf), ...(more > 0 ? ['…'] : [])].join(', ')
}
