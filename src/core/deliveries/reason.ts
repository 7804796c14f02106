import { invalid, type Parsed, valid } from '../../values/parsed.ts'

/** Parses why an operator does something: 1 to 500 printable characters; blanks at either end are dropped. */
export const parseReason = (text: string): Parsed<string> => {
  const reason = text.trim()
  return reason === '' || reason.length > 500 || /\p{Cc}/u.test(reason)
    ? invalid('must be 1 to 500 printable characters')
    : valid(reason)
}
