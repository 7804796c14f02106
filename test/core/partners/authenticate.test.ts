import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createKey, revokeKey, rotateKey } from '../../../src/core/partners/api-key.ts'
import { createKeyCheck } from '../../../src/core/partners/authenticate.ts'
import { setDisabled } from '../../../src/core/partners/change-partner.ts'
import { makeSecret } from '../../../src/core/partners/secret.ts'
import { createWrongSecrets } from '../../../src/runtime/count-wrong-secrets.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { countStatements } from '../../support/counted-database.ts'

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

/** A check like that of one replica, whose clock the test moves, and how many statements it has run. */
const open = (perMinute = 1_000_000) => {
  let nowMs = 1
  const { database, count } = countStatements(test.database)
  const wrongSecrets = createWrongSecrets({ perMinute, nowMs: () => nowMs })
  const check = createKeyCheck({ database, wrongSecrets, nowMs: () => nowMs })
  const kindOf = async (apiKey: string, address = '192.0.2.1') => (await check(apiKey, address)).kind
  return { check, kindOf, statements: count, pass: (ms: number) => void (nowMs += ms) }
}

const newKey = async (lifeMs: number | null = null) => {
  const made = await createKey({
    ...test,
    name: 'web shop',
    isTest: false,
    lifeMs,
    actor,
    randomBytes,
  })
  if (made.kind !== 'made') throw new Error(made.kind)
  return made
}

const invent = () => makeSecret('mpg_', randomBytes)

it('a key whose checksum is wrong costs no query', async () => {
  const { kindOf, statements } = open()
  const wrong = [`${test.apiKey}0`, `mpg_${'0'.repeat(49)}`, test.apiKey.toLowerCase(), 'guess', '']
  for (const apiKey of wrong) expect(await kindOf(apiKey)).toBe('unknown')
  for (let count = 0; count < 1_000; count += 1) await kindOf(`mpg_${randomBytes(24).toString('hex')}0`)
  expect(statements()).toBe(0)
  expect(await kindOf(test.apiKey)).toBe('partner')
  expect(statements()).toBe(1)
})

it('known, revoked and unknown keys cost one query in four seconds, however often they are shown', async () => {
  const { kindOf, statements, pass } = open()
  const revoked = await newKey()
  await revokeKey({ ...test, keyId: revoked.keyId, actor })
  const shown: [string, string][] = [
    [test.apiKey, 'partner'],
    [revoked.apiKey, 'revoked'],
    [invent(), 'unknown'],
  ]
  for (const [apiKey, kind] of shown) {
    const before = statements()
    for (let count = 0; count < 20; count += 1) expect(await kindOf(apiKey)).toBe(kind)
    expect(statements() - before).toBe(1)
    pass(4_001)
    await kindOf(apiKey)
    expect(statements() - before).toBe(2)
  }
})

it('a revoked key and a disabled partner are refused within five seconds by every replica', async () => {
  const replicas = [open(), open()]
  const kinds = (apiKey: string) => Promise.all(replicas.map(({ kindOf }) => kindOf(apiKey)))
  const { apiKey, keyId } = await newKey()
  expect(await kinds(apiKey)).toEqual(['partner', 'partner'])
  await revokeKey({ ...test, keyId, actor })
  for (const { pass } of replicas) pass(5_000)
  expect(await kinds(apiKey)).toEqual(['revoked', 'revoked'])

  expect(await kinds(test.apiKey)).toEqual(['partner', 'partner'])
  await setDisabled({ ...test, isDisabled: true, actor })
  for (const { pass } of replicas) pass(5_000)
  expect(await kinds(test.apiKey)).toEqual(['disabled', 'disabled'])
  await setDisabled({ ...test, isDisabled: false, actor })
  for (const { pass } of replicas) pass(5_000)
  expect(await kinds(test.apiKey)).toEqual(['partner', 'partner'])
})

it('a key expires at its moment, also while it is remembered', async () => {
  const { kindOf, pass, statements } = open()
  const { apiKey } = await newKey(3_000)
  expect(await kindOf(apiKey)).toBe('partner')
  pass(3_000)
  expect(await kindOf(apiKey)).toBe('expired')
  expect(statements()).toBe(1)
})

it('a rotated key works until its overlap ends, beside the new one', async () => {
  const { kindOf, pass } = open()
  const old = await newKey()
  const rotated = await rotateKey({ ...test, keyId: old.keyId, overlapMs: 60_000, actor, randomBytes })
  if (rotated.kind !== 'made') throw new Error(rotated.kind)
  expect([await kindOf(old.apiKey), await kindOf(rotated.apiKey)]).toEqual(['partner', 'partner'])
  pass(4_999)
  expect(await kindOf(old.apiKey)).toBe('partner')
  const ended = await rotateKey({ ...test, keyId: rotated.keyId, overlapMs: 0, actor, randomBytes })
  expect(ended.kind).toBe('made')
  pass(5_000)
  expect(await kindOf(rotated.apiKey)).toBe('expired')
  const again = await rotateKey({ ...test, keyId: rotated.keyId, overlapMs: 0, actor, randomBytes })
  expect(again.kind).toBe('key_is_over')
})

it('an address that has shown too many wrong keys is refused without a query, its neighbours are not', async () => {
  const { check, kindOf, statements } = open(3)
  expect(await kindOf(test.apiKey)).toBe('partner')
  for (let count = 0; count < 3; count += 1) expect(await kindOf(invent())).toBe('unknown')
  const before = statements()
  expect(await check(invent(), '192.0.2.1')).toEqual({ kind: 'limited', waitSeconds: 60 })
  expect(await kindOf('guess')).toBe('limited')
  expect(statements()).toBe(before)
  expect(await kindOf(invent(), '192.0.2.2')).toBe('unknown')
})

it('a flood of invented keys at once asks the database as often as an address may be wrong', async () => {
  const { kindOf, statements } = open(10)
  const kinds = await Promise.all(Array.from({ length: 500 }, () => kindOf(invent())))
  expect(kinds.filter((kind) => kind === 'unknown')).toHaveLength(10)
  expect(statements()).toBe(10)
})

it('a good key is let in from an address that others guess from', async () => {
  const { kindOf, pass } = open(3)
  expect(await kindOf(test.apiKey)).toBe('partner')
  for (let count = 0; count < 9; count += 1) await kindOf('guess')
  expect(await kindOf('guess')).toBe('limited')
  expect(await kindOf(test.apiKey)).toBe('partner')
  pass(5_000)
  expect(await kindOf('guess')).toBe('limited')
  expect(await kindOf(test.apiKey)).toBe('partner')
})
