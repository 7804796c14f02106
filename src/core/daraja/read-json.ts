/**
 * JSON as it was written. `JSON.parse` loses what decides about money: `-0`, `0e99` and `1e-400` become the number 0,
 * and of two members with one name the last is kept in silence.
 */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject

/** A number by its text, such as `1.00`. */
export class JsonNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Every value that stands under each name, in their order: two where a name is there twice. */
export class JsonObject {
  readonly members: ReadonlyMap<string, readonly Json[]>
  constructor(members: ReadonlyMap<string, readonly Json[]>) {
    this.members = members
  }
}

/** What is nested deeper is not read: nothing that Daraja says is. */
const MAX_DEPTH = 64

const UTF8 = new TextDecoder()

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y
/** A string in which every character stands for itself, as in nearly all. */
const PLAIN_STRING = /"[^"\\\p{Cc}]*"/uy
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y

/**
 * Reads bytes as JSON in UTF-8; undefined when they are none. Takes and refuses what `JSON.parse` does, but for a byte
 * order mark before it, which is passed over, and for what is nested too deep.
 */
export const readJson = (bytes: Uint8Array): Json | undefined => {
  const text = UTF8.decode(bytes)
  try {
    return readDocument(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The rest of a text, from `at`. */
type Rest = { text: string; at: number }

const readDocument = (text: string): Json => {
  const rest: Rest = { text, at: 0 }
  const value = readValue(rest, 0)
  skipSpace(rest)
  if (rest.at !== text.length) throw new SyntaxError('no JSON')
  return value
}

const readValue = (rest: Rest, depth: number): Json => {
  if (depth > MAX_DEPTH) throw new SyntaxError('no JSON')
  skipSpace(rest)
  const first = rest.text[rest.at]
  if (first === '{') return readObject(rest, depth)
  if (first === '[') return readArray(rest, depth)
  if (first === '"') return readString(rest)
  const literal = take(rest, LITERAL)
  return literal === null ? new JsonNumber(expect(rest, NUMBER)) : (LITERALS.get(literal) ?? null)
}

const LITERALS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

const readObject = (rest: Rest, depth: number): JsonObject => {
  const members = new Map<string, Json[]>()
  readList(rest, '}', () => {
    const name = readString(rest)
    if (!skip(rest, ':')) throw new SyntaxError('no JSON')
    const value = readValue(rest, depth + 1)
    const same = members.get(name)
    if (same) same.push(value)
    else members.set(name, [value])
  })
  return new JsonObject(members)
}

const readArray = (rest: Rest, depth: number): Json[] => {
  const values: Json[] = []
  readList(rest, ']', () => values.push(readValue(rest, depth + 1)))
  return values
}

/** What stands between commas, from the opening bracket to `end`. */
const readList = (rest: Rest, end: string, readOne: () => void): void => {
  rest.at += 1
  if (skip(rest, end)) return
  do {
    skipSpace(rest)
    readOne()
  } while (skip(rest, ','))
  if (!skip(rest, end)) throw new SyntaxError('no JSON')
}

/** What else may stand in a string, and what its escapes mean, `JSON.parse` knows. */
const readString = (rest: Rest): string => {
  const plain = take(rest, PLAIN_STRING)
  return plain === null ? String(JSON.parse(expect(rest, STRING))) : plain.slice(1, -1)
}

/** Passes over white space and then `character`, where it is next. */
const skip = (rest: Rest, character: string): boolean => {
  skipSpace(rest)
  if (rest.text[rest.at] !== character) return false
  rest.at += 1
  return true
}

/**
 * Takes what the sticky pattern matches here; null when it does not. Without `exec`, whose arrays cost more than the
 * match.
 */
const take = (rest: Rest, pattern: RegExp): string | null => {
  const start = rest.at
  pattern.lastIndex = start
  if (!pattern.test(rest.text)) return null
  rest.at = pattern.lastIndex
  return rest.text.slice(start, rest.at)
}

const expect = (rest: Rest, pattern: RegExp): string => {
  const found = take(rest, pattern)
  if (found === null) throw new SyntaxError('no JSON')
  return found
}

const skipSpace = (rest: Rest): void => {
  while (isSpace(rest.text.charCodeAt(rest.at))) rest.at += 1
}

/** A blank, tab, line feed or carriage return; not the NaN beyond the end. */
const isSpace = (code: number): boolean => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d

// Reading fields one by one: what one holds that nobody can read costs that field and no other.

/** Stands for a member whose name is there more than once: which of them is meant, nobody knows. */
export const AMBIGUOUS = Symbol('ambiguous')

/** What stands under a name, if anything. */
export type Field = Json | undefined | typeof AMBIGUOUS

/** The one value under a name; undefined when it is not there. */
export const fieldOf = (object: JsonObject, name: string): Field => {
  const values = object.members.get(name) ?? []
  return values.length > 1 ? AMBIGUOUS : values[0]
}

/**
 * The same, whatever the case of its letters: for what decides about errors, where nobody else reads the name as we do.
 */
export const fieldInAnyCase = (object: JsonObject, name: string): Field => {
  const lower = name.toLowerCase()
  const values = [...object.members].flatMap(([one, all]) => (one.toLowerCase() === lower ? all : []))
  return values.length > 1 ? AMBIGUOUS : values[0]
}

/** A string as it is, a number by its text; null for anything else. */
export const textOf = (value: Field): string | null => {
  if (typeof value === 'string') return value
  return value instanceof JsonNumber ? value.text : null
}

/** One token of printable ASCII, such as an id or a receipt, without the blanks around it; null for anything else. */
export const wordOf = (value: Field, characters: number): string | null => {
  const token = textOf(value)?.trim() ?? ''
  return token.length <= characters && /^[\x21-\x7e]+$/.test(token) ? token : null
}

/** A number, also one that is written as a string, in digits; null for anything else. */
export const numberOf = (value: Field): number | null => {
  const text = textOf(value)?.trim() ?? ''
  const number = /^-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : null
}

/** The digits of a whole number of any spelling; null for what is none, or is too long to be exact. */
export const digitsOf = (value: Field): string | null => {
  const number = numberOf(value)
  return number !== null && Number.isSafeInteger(number) && number >= 0 ? String(number) : null
}

/** Every text and number in a value, in their order, as one text. */
export const allTextOf = (value: Field): string => {
  if (Array.isArray(value)) return value.map(allTextOf).join(' ').trim()
  if (value instanceof JsonObject) return [...value.members.values()].flat().map(allTextOf).join(' ').trim()
  return textOf(value) ?? ''
}
