import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { makeSecret } from '../../../src/core/partners/secret.ts'
import { createSecretCheck } from '../../../src/core/partners/secret-check.ts'
import { createWrongSecrets } from '../../../src/runtime/count-wrong-secrets.ts'

type Answer = { kind: 'good' | 'revoked' }

/** A check of secrets in a database where `set` says what a secret is; one that is not set is unknown. */
const open = (perMinute = 1_000_000) => {
  let nowMs = 1
  const asked: string[] = []
  const stored = new Map<string, Answer['kind'] | 'fails'>()
  let lookingUpMs = 0
  const check = createSecretCheck<Answer>({
    prefixes: ['mpg_'],
    lookUp: async (secret) => {
      asked.push(secret)
      const kind = stored.get(secret)
      await Promise.resolve()
      nowMs += lookingUpMs
      if (kind === 'fails') throw new Error('away')
      return kind === undefined ? null : { kind }
    },
    isGood: ({ kind }) => kind === 'good',
    wrongSecrets: createWrongSecrets({ perMinute, nowMs: () => nowMs }),
    nowMs: () => nowMs,
  })
  const look = async (secret: string): Promise<string> => (await check(secret, '192.0.2.1')).kind
  const make = (kind?: Answer['kind'] | 'fails'): string => {
    const secret = makeSecret('mpg_', randomBytes)
    if (kind !== undefined) stored.set(secret, kind)
    return secret
  }
  return {
    look,
    make,
    set: (secret: string, kind: Answer['kind'] | 'fails') => stored.set(secret, kind),
    asked: () => asked.splice(0),
    pass: (ms: number) => void (nowMs += ms),
    lookUpTakes: (ms: number) => void (lookingUpMs = ms),
  }
}

it.each(['good', 'revoked', undefined] as const)(
  'what is said of a %s secret is remembered for four seconds from when it was asked for',
  async (kind) => {
    const { look, make, pass, asked, lookUpTakes } = open()
    const secret = make(kind)
    lookUpTakes(500)
    const said = await look(secret)
    pass(3_500)
    expect(await look(secret)).toBe(said)
    expect(asked()).toEqual([secret])
    pass(1)
    expect(await look(secret)).toBe(said)
    expect(asked()).toEqual([secret])
  },
)

it.each(['good', 'revoked', undefined] as const)(
  'many who show one %s secret at once ask once',
  async (kind) => {
    const { look, make, asked } = open()
    const secret = make(kind)
    const said = await Promise.all(Array.from({ length: 100 }, () => look(secret)))
    expect(new Set(said)).toEqual(new Set([kind ?? 'unknown']))
    expect(asked()).toEqual([secret])
  },
)

it('many who show one good secret at once are all let in, however few wrong ones an address may show', async () => {
  const { look, make } = open(1)
  const secret = make('good')
  const said = await Promise.all(Array.from({ length: 100 }, () => look(secret)))
  expect(new Set(said)).toEqual(new Set(['good']))
})

it('what could not be asked for is asked for again', async () => {
  const { look, make, set, asked } = open()
  const secret = make('fails')
  await expect(look(secret)).rejects.toThrow('away')
  set(secret, 'good')
  expect(await look(secret)).toBe('good')
  expect(asked()).toEqual([secret, secret])
})

it('invented secrets never push out good ones, however many', async () => {
  const { look, make, asked } = open()
  const [good, revoked] = [make('good'), make('revoked')]
  await look(good)
  await look(revoked)
  for (let count = 0; count < 10_000; count += 1) await look(make())
  asked()
  expect(await look(good)).toBe('good')
  expect(asked()).toEqual([])
  expect(await look(revoked)).toBe('revoked')
  expect(asked()).toEqual([revoked])
})

it('what was good once is looked up for an address that guesses, until the database says otherwise', async () => {
  const { look, make, set, pass } = open(1)
  const secret = make('good')
  expect(await look(secret)).toBe('good')
  pass(3_600_000)
  expect(await look(make())).toBe('unknown')
  expect(await look(make())).toBe('limited')
  expect(await look(secret)).toBe('good')
  // The database was away meanwhile: what it said before still counts.
  set(secret, 'fails')
  pass(4_001)
  await expect(look(secret)).rejects.toThrow('away')
  set(secret, 'revoked')
  expect(await look(secret)).toBe('revoked')
  set(secret, 'good')
  pass(4_001)
  expect(await look(secret)).toBe('limited')
})
