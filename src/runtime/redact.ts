import { maskMsisdn } from '../values/msisdn.ts'

/** What stands for a secret. */
const MASK = '***'

/**
 * A secret of the settings that is shorter may be an ordinary word, and masking it would garble what has nothing to do
 * with it.
 */
const SHORTEST_KNOWN = 16

/** Callback tokens have 48 hexadecimal digits, keys 64; request ids and trace ids fewer. */
const LONG_HEX = 48

/** How much of a key is shown after its prefix, to distinguish keys: as much as is kept of it in the clear. */
const SHOWN_OF_KEY = 8

/**
 * What must not be read whole, wherever it stands: partners' keys and services' tokens, signing secrets, what
 * authorises at Daraja, CheckoutRequestIDs (they end with the payer's number), callback tokens, passwords, and payers'
 * numbers.
 *
 * None may try the same text twice: where one part of a pattern ends, the next must not be able to begin
 * (`test/runtime/linear`).
 */
const PATTERNS = [
  String.raw`mp[gs]_(?:test_)?[0-9A-Za-z]{9,}`,
  String.raw`whsec_[0-9A-Za-z+/=_-]+`,
  String.raw`ws_CO_[0-9A-Za-z_-]+`,
  String.raw`[Bb]earer [0-9A-Za-z._~+/=-]+`,
  String.raw`Basic [0-9A-Za-z+/=]{16,}`,
  String.raw`/callbacks/stk/[^\s"\\/?#]+`,
  String.raw`://[^\s"\\/?#@:]*:[^\s"\\/?#]*@`,
  String.raw`(?:access_token|[Pp]ass(?:word|[Kk]ey)|[Ss]ecret)(?:\\*"\s*:\s*\\*"|=)[^\s"\\&]+`,
  // Not the decimals of a number, which may be any digits.
  String.raw`(?<!\d|\d\.)(?:(?:00)?254|0)[17]\d{8}(?!\d)`,
]

/** What a partner's URL says beyond its host: that is how it knows our deliveries, and may name whom they are about. */
const URL_PATH = String.raw`https?://[^\s"\\/?#]+[/?#][^\s"\\,)]+`

/** Text as it may be shown: in a line of the log, in a label of a metric, on standard error. */
export type Redact = (text: string) => string

/**
 * Makes the one mask of everything that a process says. `secrets` are values of its settings that no pattern knows,
 * such as the consumer secret; `urlPaths` hides what URLs say beyond their host, which a person at a shell may have to
 * see. A line of JSON stays a line of JSON: a number that is masked becomes a string.
 */
export const createRedact = (
  options: { secrets?: readonly string[] | undefined; urlPaths?: boolean } = {},
): Redact => {
  const { secrets = [], urlPaths = false } = options
  const known = secrets
    .filter((secret) => secret.length >= SHORTEST_KNOWN)
    .map((secret) => RegExp.escape(secret))
  const sensitive = new RegExp([...known, ...PATTERNS, ...(urlPaths ? [URL_PATH] : [])].join('|'), 'g')
  return (text) => {
    const isInString = followStrings(text)
    const masked = text.replace(sensitive, (found, offset: number) =>
      PAYER.test(found) ? maskPayer({ found, offset, text, isInString }) : maskSecret(found),
    )
    return holdsLongHex(masked) ? masked.replace(LONG_HEX_RUNS, MASK) : masked
  }
}

const LONG_HEX_RUNS = new RegExp(`[0-9A-Fa-f]{${LONG_HEX},}`, 'g')

/**
 * True when there is a run of `LONG_HEX` digits, one of which then stands at one of these places. The expression by
 * itself takes ten times as long as all the others together (measured), for hexadecimal digits are everywhere.
 */
const holdsLongHex = (text: string): boolean => {
  for (let place = LONG_HEX - 1; place < text.length; place += LONG_HEX) {
    let [first, last] = [place, place - 1]
    while (isHex(text.charCodeAt(last + 1))) last += 1
    while (last >= place && isHex(text.charCodeAt(first - 1))) first -= 1
    if (last - first + 1 >= LONG_HEX) return true
  }
  return false
}

/** Digits, A to F, a to f; not the NaN beyond an end of the text. */
const isHex = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102)

const PAYER = /^\d{10}(?:\d\d){0,2}$/

const maskSecret = (found: string): string => {
  if (/^mp[gs]_/.test(found)) return `${found.slice(0, found.lastIndexOf('_') + 1 + SHOWN_OF_KEY)}${MASK}`
  if (found.startsWith('ws_CO_')) return `ws_CO_${MASK}${found.slice(-3)}`
  if (found.startsWith('http'))
    return `${/^https?:\/\/[^/?#]+[/?#]/.exec(found)?.[0].replace(/^(https?:\/\/).*@/, `$1${MASK}@`) ?? ''}${MASK}`
  const kept =
    /^(?:whsec_|bearer |Basic |\/callbacks\/stk\/|:\/\/[^:]*:|[A-Za-z_]+(?:\\*"\s*:\s*\\*"|=))/i.exec(found)
  return `${kept?.[0] ?? ''}${MASK}${found.startsWith('://') ? '@' : ''}`
}

/** JSON knows no number with stars in it: one that stands outside a string becomes one. */
const maskPayer = (options: {
  found: string
  offset: number
  text: string
  isInString: (offset: number) => boolean
}): string => {
  const { found, offset, text } = options
  const isJsonValue =
    text.startsWith('{') &&
    /[:[,]\s*$/.test(text.slice(Math.max(0, offset - 2), offset)) &&
    /^\s*[,}\]]/.test(text.slice(offset + found.length)) &&
    !options.isInString(offset)
  return isJsonValue ? `"${maskMsisdn(found)}"` : maskMsisdn(found)
}

/** Returns whether a position in a text of JSON is inside a string; to be called with increasing positions. */
const followStrings = (text: string): ((offset: number) => boolean) => {
  let [next, isInside] = [0, false]
  return (offset) => {
    for (; next < offset; next += 1) {
      const code = text.charCodeAt(next)
      if (code === BACKSLASH) next += 1
      else if (code === QUOTE) isInside = !isInside
    }
    return isInside
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
