/** Tells the present instant (UTC). A parameter everywhere, so that a test can own time. */
export type Clock = () => Date

export const systemClock: Clock = () => new Date()
