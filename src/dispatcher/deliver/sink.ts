import type { Clock } from '../../runtime/clock.ts'
import { OPERATORS_ID } from '../../values/test-partner.ts'
import { createAddressGuard } from '../network/guard-address.ts'
import { createResolver } from '../network/resolve-host.ts'
import type { Claim } from './attempts.ts'
import { createPoster, type Poster, type PostLimits } from './post.ts'
import { createSignerWith, type Sign } from './sign.ts'

/** Where operators are told of trouble: a URL that the settings have, and what signs. */
export type Sink = { url: string; secrets: readonly string[] }

/** How one delivery goes out. */
export type Way = { url: string; sign: Sign; poster: Poster }

export type Ways = {
  wayOf: (claim: Pick<Claim, 'partner_id' | 'callback_url'>) => Way
  /** Closes the connections of all. */
  close(): Promise<void>
}

/**
 * Makes what says how a delivery goes out. A partner's: by its callback URL, past the guard. A signal to operators: by
 * the URL that the settings have now, not the one when it was written, so that a wrong one is mended for what waits; and
 * past no guard, for it is theirs to say where it leads, and no partner can say it. Without a sink here, a signal is not
 * signed, and so not sent, but repeated.
 */
export const createWays = (options: {
  sign: Sign
  poster: Poster
  sink: Sink | null
  nameServers: readonly string[] | null
  limits: PostLimits | undefined
  clock: Clock
  nowMs: () => number
}): Ways => {
  const { sign, poster, sink } = options
  const ofSignals = sink === null ? null : createWayOfSignals(options, sink)
  const wayOf = ({ partner_id, callback_url: url }: Pick<Claim, 'partner_id' | 'callback_url'>): Way => {
    if (partner_id !== OPERATORS_ID) return { url, sign, poster }
    return ofSignals ?? { url, poster, sign: () => Promise.resolve({ kind: 'impossible' }) }
  }
  return {
    wayOf,
    close: async () => {
      await Promise.all([poster.close(), ofSignals?.poster.close()])
    },
  }
}

const createWayOfSignals = (
  options: {
    nameServers: readonly string[] | null
    limits: PostLimits | undefined
    clock: Clock
    nowMs: () => number
  },
  { url, secrets }: Sink,
): Way => {
  const { nameServers, limits, clock, nowMs } = options
  const guard = createAddressGuard({
    allowPrivateNetworks: true,
    resolve: createResolver({ allowPrivateNetworks: true, nameServers }),
    ownAddresses: () => new Set(),
  })
  const sign = createSignerWith(secrets)
  return { url, sign, poster: createPoster({ guard, limits, clock, nowMs }) }
}
