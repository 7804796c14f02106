/** Returns the present instant (UTC). A parameter everywhere, so that a test controls time. */
export type Clock = () => Date

export const systemClock: Clock = () => new Date()
