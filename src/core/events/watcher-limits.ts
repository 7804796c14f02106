/** How many watchers this process may have. */
export type WatcherLimits = {
  /** In all. */
  total: number
  /** Of one partner. */
  perPartner: number
}

/** Why there may not be one more. */
export type TooManyWatchers = { reason: 'total' | 'partner'; limit: number }

/** Counts the watchers of this process. */
export type WatcherCount = {
  /** Counts one more, of a partner or of a service (null); what is returned gives its place back. */
  enter(partnerId: bigint | null): (() => void) | TooManyWatchers
}

export const createWatcherCount = ({ total, perPartner }: WatcherLimits): WatcherCount => {
  let all = 0
  const ofPartners = new Map<bigint, number>()
  return {
    enter: (partnerId) => {
      const own = partnerId === null ? 0 : (ofPartners.get(partnerId) ?? 0)
      if (all >= total) return { reason: 'total', limit: total }
      if (own >= perPartner) return { reason: 'partner', limit: perPartner }
      all += 1
      if (partnerId !== null) ofPartners.set(partnerId, own + 1)
      return () => {
        all -= 1
        if (partnerId === null) return
        const left = (ofPartners.get(partnerId) ?? 1) - 1
        if (left === 0) ofPartners.delete(partnerId)
        else ofPartners.set(partnerId, left)
      }
    },
  }
}
