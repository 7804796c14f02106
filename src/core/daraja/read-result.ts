import { truncateText } from '../../values/outside-text.ts'
import { type Field, JsonNumber, textOf } from './read-json.ts'

/** What ResultCode and ResultDesc say of a payment, on either channel. */
export type Result =
  | { kind: 'paid'; resultCode: '0'; resultDesc: string }
  | { kind: 'failed'; resultCode: string; resultDesc: string }
  /** Nothing that settles a payment, and why. */
  | { kind: 'unsettled'; reason: string }

/** Still processing. Documented for the query; no ending on either channel. */
const PENDING_RESULT_CODE = '4999'

/** Seen beside codes that are endings elsewhere ("The transaction is still under processing" beside 1037 and 1). */
export const STILL_PROCESSING = /\b(?:under[\s-]+process|being[\s-]+process|(?:is|are|still)\s+processing\b)/i

const WHOLE_NUMBER = /^(?:0|-?[1-9]\d{0,14})$/

/** Codes need not be numeric: SFC_IC0003, E3008, 500.001.1001. */
const NAME = /^(?:[A-Za-z][\w.-]*|[1-9]\d*(?:\.\d+){2,})$/

const MAX_CODE = 64

const MAX_DESC = 1000

/**
 * Reads an outcome. Exactly 0 or "0" is paid, whatever the text says. A code that is a whole number or a name is a
 * failure with that code, known or not, unless it or the text says that the end is still to come. Any other spelling
 * (`-0`, `0e99`, "00", " 0", a code that is there twice) settles nothing: whether it means 0 would be a guess about
 * money.
 */
export const readResult = (given: { code: Field; desc: Field }): Result => {
  const resultCode = readCode(given.code)
  const resultDesc = truncateText(textOf(given.desc) ?? '', MAX_DESC)
  if (resultCode === null) return { kind: 'unsettled', reason: 'no ResultCode that can be read' }
  if (resultCode === '0') return { kind: 'paid', resultCode, resultDesc }
  const isPending = resultCode === PENDING_RESULT_CODE || STILL_PROCESSING.test(resultDesc)
  return isPending ? { kind: 'unsettled', reason: 'pending' } : { kind: 'failed', resultCode, resultDesc }
}

const readCode = (value: Field): string | null => {
  const text = textOf(value)
  if (text === null) return null
  if (WHOLE_NUMBER.test(text)) return text
  if (value instanceof JsonNumber) return null
  const isName = NAME.test(text) && text.length <= MAX_CODE && Number.isNaN(Number(text))
  return isName ? text : null
}
