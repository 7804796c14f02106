/**
 * What a terminal obeys instead of showing: controls (C0, DEL, C1), what turns the direction of writing, and all else
 * that is there and not seen. The joiners are left, for emoji and some scripts are written with them and nothing obeys
 * them.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Cs}]--[\u200c-\u200d]]/gv
const UNSEEN_BUT_LINE_FEED = /[[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Cs}]--[\u200c-\u200d\n]]/gv

const SHORT: Record<string, string> = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` }

/** Text as one line that a terminal shows and does not obey: what is not seen is written as JSON would escape it. */
export const toVisibleLine = (text: string): string => text.replaceAll(UNSEEN, escape)

/**
 * The same of text that may have several lines; and of JSON, which stays the same JSON: it escapes C0 by itself, and
 * DEL, C1 and the direction of writing not.
 */
export const toVisibleLines = (text: string): string => text.replaceAll(UNSEEN_BUT_LINE_FEED, escape)

/** Of a character beyond the first plane both halves. */
const escape = (character: string): string =>
  SHORT[character] ??
  Array.from(
    { length: character.length },
    (_one, index) => String.raw`\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('')
