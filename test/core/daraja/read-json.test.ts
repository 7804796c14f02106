import { array, assert, constantFrom, json, oneof, property, string, stringMatching, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Json, JsonNumber, JsonObject, readJson } from '../../../src/core/daraja/read-json.ts'

const read = (text: string): Json | undefined => readJson(Buffer.from(text))

/** What `JSON.parse` would have made of it. */
const toPlain = (value: Json): unknown => {
  if (value instanceof JsonNumber) return Number(value.text)
  if (value instanceof JsonObject) {
    return Object.fromEntries(
      [...value.members].map(([name, values]) => [name, toPlain(values.at(-1) ?? null)]),
    )
  }
  return Array.isArray(value) ? value.map(toPlain) : value
}

const parse = (text: string): { value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

const expectSame = (text: string): void => {
  const parsed = parse(text)
  const value = read(text)
  expect(value !== undefined).toBe(parsed !== undefined)
  if (value !== undefined) expect(toPlain(value)).toEqual(parsed?.value)
}

/** Pieces that make JSON now and then, and nearly JSON often. */
const pieces = array(
  oneof(
    constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      ' ',
      '\t',
      '\u00a0',
      '\u0000',
      'null',
      'true',
      '"a":',
    ),
    stringMatching(/^-?[0-9.eE+]{1,4}$/),
    stringMatching(/^"\\[bfnrtux0-9]{1,5}"$/),
    string({ maxLength: 3 }),
  ),
).map((all) => all.join(''))

describe('JSON as it was written', () => {
  it('is taken and refused as JSON.parse does', () => {
    assert(property(json({ maxDepth: 4 }), expectSame), { numRuns: 300 })
    assert(property(pieces, expectSame), { numRuns: 2_000 })
    assert(
      property(tuple(json({ maxDepth: 2 }), pieces), ([text, more]) => expectSame(text.slice(0, -1) + more)),
      { numRuns: 500 },
    )
  })

  it.each(['-0', '0e99', '1e-400', '1.00', '12345678901234567890'])(
    'keeps the text of the number %s',
    (text) => {
      expect(read(` ${text}\n`)).toEqual(new JsonNumber(text))
    },
  )

  it('keeps every value of a name that is there twice, whichever way the name is written', () => {
    expect(read(String.raw`{"a":1,"\u0061":"b"}`)).toEqual(
      new JsonObject(new Map([['a', [new JsonNumber('1'), 'b']]])),
    )
  })

  it('passes over one byte order mark before it, and over none elsewhere', () => {
    expect(read('\ufeff[]')).toEqual([])
    for (const text of ['\ufeff\ufeff[]', '[\ufeff]', '[]\ufeff']) expect(read(text)).toBeUndefined()
  })

  it('refuses what is nested deeper than anything that Daraja says, however deep', () => {
    expect(read('['.repeat(60) + ']'.repeat(60))).toBeDefined()
    expect(read('['.repeat(100) + ']'.repeat(100))).toBeUndefined()
    expect(read('['.repeat(60_000))).toBeUndefined()
  })
})
