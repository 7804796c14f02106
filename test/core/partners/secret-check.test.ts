import { expect, it } from 'vitest'
import { createRemembered } from '../../../src/core/partners/remembered.ts'

const asked: string[] = []

/** Remembers of what the database says: `known …` is known, `fails …` cannot be asked for. */
const open = () => {
  let nowMs = 0
  asked.length = 0
  const remembered = createRemembered<boolean>({
    lookUp: (secret) => {
      asked.push(secret)
      return secret.startsWith('fails')
        ? Promise.reject(new Error('away'))
        : Promise.resolve(secret.startsWith('known'))
    },
    isKnown: (answer) => answer,
    nowMs: () => nowMs,
  })
  const look = async (secret: string) => (await remembered.get(secret)) ?? remembered.ask(secret)
  return { ...remembered, look, pass: (ms: number) => void (nowMs += ms) }
}

it('an answer is remembered for four seconds from when it was asked for', async () => {
  const { look, pass } = open()
  for (const secret of ['known', 'unknown']) {
    expect(await look(secret)).toBe(secret === 'known')
    pass(3_999)
    expect(await look(secret)).toBe(secret === 'known')
    pass(1)
    await look(secret)
    expect(asked.splice(0)).toEqual([secret, secret])
  }
})

it('many who ask for one secret at once ask once', async () => {
  const { get, ask } = open()
  const first = ask('known')
  expect(get('known')).toBe(first)
  expect(await first).toBe(true)
  expect(asked).toEqual(['known'])
})

it('what could not be asked for is asked for again', async () => {
  const { look, get } = open()
  await expect(look('fails')).rejects.toThrow('away')
  expect(get('fails')).toBeUndefined()
  expect(asked).toEqual(['fails'])
})

it('invented secrets never push out known ones, however many', async () => {
  const { look, get } = open()
  await look('known')
  await look('unknown')
  for (let count = 0; count < 10_000; count += 1) await look(`invented ${count}`)
  expect(get('unknown')).toBeUndefined()
  expect(await get('known')).toBe(true)
})

it('what was known once is told, until the database says otherwise', async () => {
  let isKnown = true
  let nowMs = 0
  const remembered = createRemembered<boolean>({
    lookUp: () => Promise.resolve(isKnown),
    isKnown: (answer) => answer,
    nowMs: () => nowMs,
  })
  expect(remembered.wasKnown('key')).toBe(false)
  await remembered.ask('key')
  nowMs += 3_600_000
  expect(remembered.wasKnown('key')).toBe(true)
  isKnown = false
  await remembered.ask('key')
  expect(remembered.wasKnown('key')).toBe(false)
})
