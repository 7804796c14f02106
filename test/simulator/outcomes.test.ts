import { describe, expect, test } from 'vitest'
import { combine, PLAIN } from '../../src/simulator/behaviour.ts'
import { chosenBy, chosenByKey, OUTCOMES } from '../../src/simulator/outcomes.ts'

const namesOf = (phone: string, amountKes: number): string[] => combine(chosenBy(phone, amountKes)).names

test('no phone number, no amount and no name stands for two outcomes', () => {
  for (const values of [
    OUTCOMES.flatMap((outcome) => outcome.phones),
    OUTCOMES.flatMap((outcome) => outcome.amountsKes),
    OUTCOMES.map((outcome) => outcome.name),
  ]) {
    expect(new Set<unknown>(values).size).toBe(values.length)
  }
  for (const { phones, amountsKes, name } of OUTCOMES) {
    for (const phone of phones) expect(phone).toMatch(/^254[17]\d{8}$/)
    for (const amount of amountsKes) expect(amount).toBeLessThanOrEqual(250_000)
    // So it can be written in SIMULATOR_MISBEHAVIOURS.
    expect(name).toMatch(/^[a-z0-9-]+$/)
  }
})

describe('the outcome', () => {
  test.each(OUTCOMES.map((outcome) => [outcome.name, outcome] as const))('%s is chosen', (_name, outcome) => {
    for (const phone of outcome.phones) expect(chosenBy(phone, 150)).toEqual([outcome])
    for (const amount of outcome.amountsKes) expect(chosenBy('254712345678', amount)).toEqual([outcome])
    expect(chosenByKey(outcome.name, outcome.call)).toEqual([outcome])
  })

  test('is paid when nothing chooses', () => {
    expect(namesOf('254712345678', 150)).toEqual([])
    expect(combine(chosenBy('254112345678', 250_000)).behaviour).toEqual(PLAIN)
  })

  test('is what the phone says where the amount says otherwise', () => {
    expect(namesOf('254700000002', 249_004)).toEqual(['cancelled'])
    expect(namesOf('254708374149', 249_004)).toEqual(['paid'])
  })

  test('is of both where they speak of different things', () => {
    const { behaviour, names } = combine(chosenBy('254700000002', 249_024))
    expect(names).toEqual(['cancelled', 'calls-back-twice'])
    expect(behaviour).toMatchObject({ callbackTimes: 2, endings: [{ result: { code: 1032 } }] })
  })

  test('chosen by a consumer key is that of each of its names, for its own calls', () => {
    const key = 'token-html-403+pull-cut+no-outcome+calls-back-twice'
    expect(chosenByKey(key, 'token').map(({ name }) => name)).toEqual(['token-html-403'])
    expect(chosenByKey(key, 'pull').map(({ name }) => name)).toEqual(['pull-cut'])
    expect(chosenByKey(key, 'push').map(({ name }) => name)).toEqual(['calls-back-twice'])
    expect(chosenByKey(key, 'query')).toEqual([])
  })
})

test('the endings of an outcome are in the order of time', () => {
  for (const { does } of OUTCOMES) {
    const times = (does.endings ?? []).map((ending) => ending.afterDelays)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  }
})
