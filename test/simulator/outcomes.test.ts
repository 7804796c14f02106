import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { chosenBy, chosenByKey, combine } from '../../src/simulator/choose.ts'
import {
  callOutcomesAsMarkdown,
  outcomesAsMarkdown,
  outcomesAsText,
  rareOutcomesAsMarkdown,
} from '../../src/simulator/outcome-tables.ts'
import { OUTCOMES, PAID_OUTCOME } from '../../src/simulator/outcomes.ts'

const namesOf = (phone: string, amountKes: number): string[] => combine(chosenBy(phone, amountKes)).names

test('no phone number, no amount and no name stands for two outcomes', () => {
  for (const values of [
    OUTCOMES.flatMap((outcome) => outcome.phones),
    OUTCOMES.flatMap((outcome) => outcome.amountKes ?? []),
    OUTCOMES.map((outcome) => outcome.name),
  ]) {
    expect(new Set<unknown>(values).size).toBe(values.length)
  }
  for (const { phones, amountKes, name } of OUTCOMES) {
    for (const phone of phones) expect(phone).toMatch(/^254[17]\d{8}$/)
    expect(amountKes ?? 0).toBeLessThanOrEqual(250_000)
    // So it can be written in SIMULATOR_MISBEHAVIOURS.
    expect(name).toMatch(/^[a-z0-9-]+$/)
  }
})

describe('the outcome', () => {
  test.each(OUTCOMES.map((outcome) => [outcome.name, outcome] as const))('%s is chosen', (_name, outcome) => {
    for (const phone of outcome.phones) expect(chosenBy(phone, 150)).toEqual([outcome])
    const { amountKes } = outcome
    if (amountKes !== null) expect(chosenBy('254712345678', amountKes)).toEqual([outcome])
    expect(chosenByKey(outcome.name, outcome.call)).toEqual([outcome])
  })

  test('is paid when nothing chooses', () => {
    expect(namesOf('254712345678', 150)).toEqual([])
    expect(combine(chosenBy('254112345678', 250_000)).behaviour).toEqual({})
  })

  test('is what the phone says where the amount says otherwise', () => {
    expect(namesOf('254700000002', 249_004)).toEqual(['cancelled'])
    expect(namesOf('254708374149', 249_004)).toEqual(['paid'])
    expect(combine([...chosenBy('254700000002', 150), PAID_OUTCOME]).names).toEqual(['cancelled'])
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

test.each([
  ['outcomes', outcomesAsMarkdown],
  ['rare-outcomes', rareOutcomesAsMarkdown],
  ['call-outcomes', callOutcomesAsMarkdown],
])('the documentation holds the table that the code holds: %s', async (name, asMarkdown) => {
  const page = await readFile(new URL('../../docs/simulator.md', import.meta.url), 'utf8')
  const marked = new RegExp(`<!-- ${name}:start -->\n\n([\\s\\S]*?)\n\n<!-- ${name}:end -->`)
  expect(marked.exec(page)?.[1]).toBe(asMarkdown().join('\n'))
})

test('both renderings name every outcome with what chooses it', () => {
  const markdown = [...outcomesAsMarkdown(), ...rareOutcomesAsMarkdown(), ...callOutcomesAsMarkdown()]
  const text = outcomesAsText()
  for (const { name, phones, amountKes } of OUTCOMES) {
    const row = markdown.find((line) => line.includes(`\`${name}\``)) ?? ''
    const line = text.find((line) => line.startsWith(`${name} `)) ?? ''
    for (const phone of phones) expect(row).toContain(phone)
    expect(line).toContain(phones[0] ?? name)
    expect(row).toContain(String(amountKes ?? ''))
    expect(line).toContain(String(amountKes ?? ''))
  }
})

test('what happens is read from the data', () => {
  const line = (name: string): string => outcomesAsText().find((line) => line.startsWith(`${name} `)) ?? ''
  expect(line('late-success')).toContain('callback 1037 after 1 delay, 0 after 5 delays')
  expect(line('calls-back-twice')).toContain('callback 0 twice after 1 delay')
  expect(line('never-calls-back-timeout')).toContain('callback none; query 1037 after 1 delay')
  expect(line('refused')).toContain('400.002.02 Bad Request - Invalid PhoneNumber; nobody is prompted')
  expect(line('never-ends')).toContain('callback none; query 4999 for ever')
  expect(line('calls-back-late')).toContain('callback 0 after 21 delays')
  expect(line('bad-debt')).toContain('callback E3008 after 1 delay')
  expect(line('push-html-403')).toContain("HTTP 403 with the edge's HTML; nobody is prompted")
  expect(line('silence-after-prompt')).toContain(
    'no answer, the connection stays open; yet the payer was prompted',
  )
  expect(line('masked-phone')).toContain('callback 0 after 1 delay; PhoneNumber as 2547 ***** 126')
  expect(line('query-cut')).toContain('query 0 after 1 delay; every other query: connection cut')
  expect(line('token-empty-body')).toContain('HTTP 400 with an empty body')
  expect(line('pull-offset-stands-still')).toContain('every offset gives the first page')
})
