/** The outcome that a delivery tells, by its `webhook-id`: payment and outcome make it. */
export const outcomeOf = (id: string): string => id.slice(id.lastIndexOf('_') + 1)
