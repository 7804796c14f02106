export const ENTRY: string
export const bundlesOf: (root: string) => string
export const placeOf: (root: string) => string
