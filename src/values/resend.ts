/** How many outcomes that did not arrive become due a second when they are sent again: unless asked, and at most. */
export const RESENT_PER_SECOND = { usual: 20, max: 100 }

/** Outcomes that one request sends again at most. */
export const MOST_RESENT = 10_000
