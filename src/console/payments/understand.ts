import { parseId } from '../../values/ids.ts'
import { type Msisdn, parseMsisdn } from '../../values/msisdn.ts'

/** What a pasted text may be. */
export type Meant =
  | { kind: 'payment'; paymentId: bigint }
  | { kind: 'receipt'; receipt: string }
  | { kind: 'payer'; msisdn: Msisdn }
  | { kind: 'reference'; reference: string }
  | { kind: 'key'; idempotencyKey: string }

const MOST_OF_A_REFERENCE = 64
const MOST_OF_A_KEY = 255

/** Everything that a pasted text may be, the likeliest first. Pure. */
export const understand = (pasted: string): Meant[] => {
  const text = pasted.trim()
  if (text === '') return []
  const msisdn = toMsisdn(text)
  const paymentId = msisdn === null ? parseId(text) : null
  const receipt = text.toUpperCase()
  const meant: (Meant | false)[] = [
    msisdn !== null && { kind: 'payer', msisdn },
    paymentId !== null && { kind: 'payment', paymentId },
    /^(?=.*[A-Z])[A-Z0-9]{10}$/.test(receipt) && { kind: 'receipt', receipt },
    text.length <= MOST_OF_A_REFERENCE && { kind: 'reference', reference: text },
    /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) &&
      text.length <= MOST_OF_A_KEY && { kind: 'key', idempotencyKey: text },
  ]
  return meant.filter((one) => one !== false)
}

/** A payer's number as people write it: `0712 345 678`, `+254 712-345678`, `254712345678`. */
const toMsisdn = (text: string): Msisdn | null => {
  if (!/^\+?[\d ()-]+$/.test(text)) return null
  const digits = text.replaceAll(/\D/g, '')
  const parsed = parseMsisdn(/^0[17]\d{8}$/.test(digits) ? `254${digits.slice(1)}` : digits)
  return parsed.ok ? parsed.value : null
}
