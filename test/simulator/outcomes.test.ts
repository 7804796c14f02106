import { describe, expect, test } from 'vitest'
import { chooseOutcome, OUTCOMES } from '../../src/simulator/outcomes.ts'

test('no phone number and no amount chooses two outcomes', () => {
  const phones = OUTCOMES.flatMap((outcome) => outcome.phones)
  const amounts = OUTCOMES.flatMap((outcome) => outcome.amountsKes)
  expect(new Set(phones).size).toBe(phones.length)
  expect(new Set(amounts).size).toBe(amounts.length)
  for (const phone of phones) expect(phone).toMatch(/^254[17]\d{8}$/)
})

describe('the outcome', () => {
  test.each(OUTCOMES.map((outcome) => [outcome.name, outcome] as const))('%s is chosen', (_name, outcome) => {
    for (const phone of outcome.phones) expect(chooseOutcome(phone, 150)).toBe(outcome)
    for (const amount of outcome.amountsKes) expect(chooseOutcome('254712345678', amount)).toBe(outcome)
  })

  test('is paid when nothing chooses', () => {
    expect(chooseOutcome('254712345678', 150).name).toBe('paid')
    expect(chooseOutcome('254112345678', 250_000).name).toBe('paid')
  })

  test('is what the phone says where the amount says otherwise', () => {
    expect(chooseOutcome('254700000002', 249_004).name).toBe('cancelled')
    expect(chooseOutcome('254708374149', 249_004).name).toBe('paid')
  })
})

test('a refused push comes to no ending, every other to at least one, in the order of time', () => {
  for (const outcome of OUTCOMES) {
    expect(outcome.endings.length === 0).toBe(outcome.answer.kind === 'refused')
    const times = outcome.endings.map((ending) => ending.afterDelays)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  }
})
