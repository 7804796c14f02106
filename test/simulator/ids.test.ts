import { describe, expect, test } from 'vitest'
import { createIds } from '../../src/simulator/ids.ts'

/** 00:30 on 1 May in Nairobi, still 30 April in UTC. */
const afterMidnightInNairobi = new Date('2026-04-30T21:30:15.237Z')
const idsAt = (instant: Date) => createIds({ clock: () => instant, random: Math.random })

describe('a CheckoutRequestID', () => {
  test('is the East Africa Time, the millisecond and the nine-digit number', () => {
    expect(idsAt(afterMidnightInNairobi).checkoutRequestId('254712345678')).toBe(
      'ws_CO_01052026003015237712345678',
    )
  })

  test('is unique for one phone also when time stands still', () => {
    const ids = idsAt(afterMidnightInNairobi)
    const issued = Array.from({ length: 3000 }, () => ids.checkoutRequestId('254712345678'))
    expect(new Set(issued).size).toBe(3000)
    for (const id of issued) expect(id).toMatch(/^ws_CO_\d{14}\d{1,3}712345678$/)
  })
})

test('a request id has the form of the recorded ones', () => {
  const ids = idsAt(afterMidnightInNairobi)
  const issued = Array.from({ length: 200 }, () => ids.requestId())
  for (const id of issued) expect(id).toMatch(/^[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}\d{4,}$/)
  expect(new Set(issued).size).toBe(200)
})

describe('a receipt', () => {
  test.each([
    ['2006-01-01T09:00:00Z', 'AA1'],
    ['2025-12-09T09:00:00Z', 'TL9'],
    ['2026-05-10T09:00:00Z', 'UEA'],
    ['2026-04-30T20:59:59Z', 'UDU'],
    // The day, and here the month, are Nairobi's.
    ['2026-04-30T21:00:00Z', 'UE1'],
    ['2026-12-31T12:00:00Z', 'ULV'],
  ])('of %s starts with %s', (instant, start) => {
    const paidAt = new Date(instant)
    expect(idsAt(paidAt).receipt(paidAt)).toMatch(new RegExp(`^${start}[0-9A-Z]{7}$`))
  })

  test('never comes twice, whatever the random numbers', () => {
    const ids = createIds({ clock: () => afterMidnightInNairobi, random: () => 0 })
    const issued = Array.from({ length: 20_000 }, () => ids.receipt(afterMidnightInNairobi))
    expect(new Set(issued).size).toBe(20_000)
  })
})

test('an access token has 28 letters and digits', () => {
  expect(idsAt(afterMidnightInNairobi).accessToken()).toMatch(/^[0-9A-Z]{28}$/)
})
