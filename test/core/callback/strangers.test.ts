import {
  array,
  constant,
  constantFrom,
  assert as holds,
  integer,
  oneof,
  property,
  record,
  tuple,
  uint8Array,
} from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReceivedCallback } from '../../../src/core/callback/callback.ts'
import { encodeRecord } from '../../../src/core/callback/spool-record.ts'
import { createStrangersBudget, isStranger, truncateStranger } from '../../../src/core/callback/strangers.ts'
import { parseAddressList } from '../../../src/values/address-list.ts'
import { received } from './received.ts'

const LIMITS = { perMinute: 1_000, bytesPerMinute: 20_000, maxBytes: 4_096 }

const stranger = (bodyBytes: number, headers: ReceivedCallback['headers'] = []): ReceivedCallback =>
  received({ body: Buffer.alloc(bodyBytes, 'x'), headers, source_address: '203.0.113.9' })

const keptOf = (budget: ReturnType<typeof createStrangersBudget>, callbacks: ReceivedCallback[]) =>
  callbacks.map(budget).flatMap((verdict) => (verdict.kind === 'kept' ? [verdict.callback] : []))

describe('the budget for strangers', () => {
  it('is one of bytes as well as of number, and is there again in the next minute', () => {
    let nowMs = 0
    const budget = createStrangersBudget(LIMITS, () => nowMs)
    const large = Array.from({ length: 100 }, () => stranger(65_000))
    expect(keptOf(budget, large)).toHaveLength(4)
    nowMs = 59_999
    expect(keptOf(budget, large)).toHaveLength(0)
    nowMs = 60_000
    expect(keptOf(budget, large)).toHaveLength(4)
  })

  it('counts what a row costs, so that empty ones are not for nothing', () => {
    const budget = createStrangersBudget(LIMITS, () => 0)
    const empty = Array.from({ length: 1_000 }, () => stranger(0))
    expect(keptOf(budget, empty).length).toBeLessThan(80)
  })

  it('says which budget is spent, and marks the first of each', () => {
    const budget = createStrangersBudget({ ...LIMITS, perMinute: 2 }, () => 0)
    const verdicts = [stranger(1), stranger(1), stranger(1), stranger(1)].map(budget)
    expect(verdicts.slice(2)).toEqual([
      { kind: 'turned_away', spent: 'number', isFirst: true },
      { kind: 'turned_away', spent: 'number', isFirst: false },
    ])
  })

  it('holds whatever comes, on the disk of the spool too', () => {
    const header = tuple(
      constantFrom('a', 'x-long-name', 'é'),
      integer({ min: 0, max: 9_000 }).map((length) => 'v'.repeat(length)),
    )
    const callbacks = array(
      record({ body: uint8Array({ maxLength: 9_000 }), headers: array(header, { maxLength: 4 }) }),
      { maxLength: 60 },
    )
    const limits = record({
      perMinute: oneof(constant(0), integer({ min: 1, max: 50 })),
      bytesPerMinute: integer({ min: 0, max: 60_000 }),
      maxBytes: integer({ min: 0, max: 5_000 }),
    })
    holds(
      property(limits, callbacks, (bounds, some) => {
        const budget = createStrangersBudget(bounds, () => 0)
        const kept = keptOf(
          budget,
          some.map((one) => received(one)),
        )
        const headerOf = (callback: ReceivedCallback) =>
          callback.headers.reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value), 0)
        expect(kept.length).toBeLessThanOrEqual(bounds.perMinute)
        for (const one of kept) {
          expect(one.body.length).toBeLessThanOrEqual(bounds.maxBytes)
          expect(headerOf(one)).toBeLessThanOrEqual(bounds.maxBytes)
        }
        // A record has the names of its fields beside what they hold, and of each header.
        const onDisk = kept.reduce((sum, one) => sum + encodeRecord(one).length - 24 * one.headers.length, 0)
        expect(onDisk).toBeLessThanOrEqual(bounds.bytesPerMinute * 1.2)
      }),
      { numRuns: 60 },
    )
  })
})

describe('what is kept of a stranger', () => {
  it('is the beginning of its body, its length, and the headers that fit', () => {
    const headers: [string, string][] = [
      ['Host', 'gateway'],
      ['X-Large', 'x'.repeat(200)],
      ['X-After', 'y'],
    ]
    const whole = received({ body: Buffer.from('{"Body":"a scan"}'.padEnd(500, ' ')), headers })
    expect(truncateStranger(whole, 100)).toEqual({
      ...whole,
      body_bytes: 500,
      body: new Uint8Array(whole.body.subarray(0, 100)),
      headers: headers.slice(0, 1),
    })
  })

  it('is all of a callback such as Daraja sends', () => {
    const whole = stranger(900, [['Content-Type', 'application/json']])
    const cut = truncateStranger(whole, 4_096)
    expect(Buffer.from(cut.body)).toEqual(whole.body)
    expect(cut).toMatchObject({ body_bytes: 900, headers: whole.headers })
  })
})

it('whoever has a token of ours, or an address of Daraja’s, is no stranger', () => {
  const parsed = parseAddressList('196.201.214.200')
  const list = parsed.ok ? parsed.value : []
  expect(isStranger(list, received({ source_address: '203.0.113.9' }))).toBe(true)
  expect(isStranger(list, received({ source_address: '' }))).toBe(true)
  expect(isStranger(list, received({ source_address: '203.0.113.9', payment_id: 7n }))).toBe(false)
  expect(isStranger(list, received({ source_address: '196.201.214.200' }))).toBe(false)
})
