import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createKey, listKeys } from '../../../src/core/partners/api-key.ts'
import { createKeyUse } from '../../../src/core/partners/key-use.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { countStatements } from '../../support/counted-database.ts'
import { quietLog } from '../../support/quiet-log.ts'

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

/** Writes down at once, as at the end of a process, that a key was used at `at`; says how many statements that took. */
const use = async (keyId: bigint, ...instants: Date[]): Promise<number> => {
  const { database, count } = countStatements(test.database)
  const left = [...instants]
  const clock = () => left.shift() ?? new Date(Number.NaN)
  const keyUse = createKeyUse({ database, clock, log: quietLog })
  for (const _instant of instants) keyUse.note(keyId)
  await keyUse.start().stop()
  return count()
}

const lastUse = async (keyId: bigint): Promise<Date | null | undefined> =>
  (await listKeys(test.database, test.partnerId))?.find((key) => key.keyId === keyId)?.lastUsedAt

it('the last use of a key is written once for many uses, and at most once a minute by all replicas', async () => {
  const made = await createKey({ ...test, name: 'till', isTest: false, lifeMs: null, actor, randomBytes })
  if (made.kind !== 'made') throw new Error(made.kind)
  const { keyId } = made
  expect(await lastUse(keyId)).toBeNull()
  const [first, second, third] = [0, 59_000, 61_000].map((afterMs) => new Date(1_800_000_000_000 + afterMs))
  if (!first || !second || !third) throw new Error('no instants')
  expect(await use(keyId, new Date(0), new Date(1), first)).toBeLessThanOrEqual(2)
  expect(await lastUse(keyId)).toEqual(first)
  await use(keyId, second)
  expect(await lastUse(keyId)).toEqual(first)
  await use(keyId, third)
  expect(await lastUse(keyId)).toEqual(third)
})
