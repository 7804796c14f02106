import { type Json, JsonNumber, JsonObject } from './read-json.ts'

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

/** The same, whatever the case of its letters: for what decides about errors, where nobody else reads the name as we do. */
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

/** One word of printable ASCII, such as an id or a receipt, without the blanks around it; null for anything else. */
export const wordOf = (value: Field, characters: number): string | null => {
  const word = textOf(value)?.trim() ?? ''
  return word.length <= characters && /^[\x21-\x7e]+$/.test(word) ? word : null
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
