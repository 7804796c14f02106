/** What an error of Daraja's means for the request that it answers. */
export type ErrorMeaning =
  /** Certain: not processed, and asking again would not help. */
  | 'refused'
  /** Certain: not processed, for the access token is not valid. */
  | 'bad_token'
  /** Certain: not processed, for this payer has a prompt open. */
  | 'payer_busy'
  /** Certain: not processed; the account asks too much. */
  | 'throttled'
  /** It may have been processed. */
  | 'unknown'

export type ErrorRule = { code: RegExp; text: RegExp; means: ErrorMeaning }

const ANY = /^/

const NAMES_BAD_TOKEN =
  /invalid (?:access|bearer) token|(?:access|bearer) token (?:has |is )?(?:expired|invalid)|expired access token|invalid auth(?:entication|ori[sz]ation) header/i

/** The app is not subscribed to the product. Apigee words it as a bad token too, yet no new token would help. */
const NAMES_NO_PRODUCT = /no apiproduct match found/i

/** Apigee's two limits; it says so in error codes and in faults alike. */
const NAMES_LIMIT = /spike ?arrest|quota ?violation/i

/**
 * What `errorCode` and `errorMessage` mean together, the first rule that fits both; none: unknown. Codes are compared without
 * the blanks around them, texts in any case and with single blanks (docs/daraja.md, "Errors").
 */
export const ERROR_RULES: readonly ErrorRule[] = [
  { code: ANY, text: NAMES_NO_PRODUCT, means: 'refused' },
  { code: ANY, text: NAMES_LIMIT, means: 'throttled' },
  { code: /^500\.003\.03$/, text: ANY, means: 'throttled' },
  { code: /^40[0134]\./, text: NAMES_BAD_TOKEN, means: 'bad_token' },
  { code: /^401\.|^404\.001\.0[34]$/, text: ANY, means: 'bad_token' },
  { code: /^400\.00(?:2\.02|2\.05|3\.01|3\.02)$/, text: ANY, means: 'refused' },
  { code: /^(?:404\.00[13]\.01|405\.001)$/, text: ANY, means: 'refused' },
  { code: /^500\.001\.1001$/, text: /unable to lock subscriber/i, means: 'payer_busy' },
  { code: /^500\.001\.1001$/, text: /merchant does not exist|wrong credentials/i, means: 'refused' },
  { code: /^500\./, text: ANY, means: 'unknown' },
]

/**
 * The same for Apigee's `{"fault":{…}}`, by the HTTP status. A fault that refuses comes from the edge, so nothing was
 * processed. One with another status tells of trouble behind the edge, such as a time-out: what happened there is not known.
 */
export const FAULT_RULES: readonly ErrorRule[] = [
  { code: ANY, text: NAMES_LIMIT, means: 'throttled' },
  { code: /^4/, text: NAMES_NO_PRODUCT, means: 'refused' },
  { code: /^4/, text: NAMES_BAD_TOKEN, means: 'bad_token' },
  { code: /^401$/, text: /token/i, means: 'bad_token' },
  { code: /^401$/, text: ANY, means: 'refused' },
]

/** What the rules say of a code and a text. Pure. */
export const meaningOf = (rules: readonly ErrorRule[], code: string, text: string): ErrorMeaning | null =>
  rules.find((rule) => rule.code.test(code) && rule.text.test(text))?.means ?? null
