import { invalid, type Parsed, valid } from './parsed.ts'

/** What a partner or an operator is called: 1 to 100 printable characters, without blanks at either end. */
export const parseName = (text: string): Parsed<string> =>
  /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]{1,100}$/u.test(text) && text.trim() === text
    ? valid(text)
    : invalid('must be 1 to 100 printable characters, without blanks at either end')
