/** The largest id Postgres's bigint holds. */
const MAX_ID = 9_223_372_036_854_775_807n

/** Parses an id written in digits, as in a URL; null for anything that cannot be an id. */
export const parseId = (text: string): bigint | null => {
  if (!/^[1-9]\d{0,18}$/.test(text)) return null
  const id = BigInt(text)
  return id <= MAX_ID ? id : null
}
