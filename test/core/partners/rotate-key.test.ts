import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createKey,
  listKeys,
  MAX_OVERLAP_MS,
  MAX_WORKING_KEYS,
  type MadeKey,
  type NotMade,
  rotateKey,
} from '../../../src/core/partners/api-key.ts'
import type { Database } from '../../../src/database/connect.ts'
import { testActor as actor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addPartner } from '../../support/partner.ts'

const DAY_MS = 24 * 3_600_000

describe('a key that is rotated', () => {
  let own: OpenDatabase
  let database: Database
  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  const newPartner = async (): Promise<bigint> => (await addPartner(database)).partnerId

  const newKey = async (partnerId: bigint, lifeMs: number | null): Promise<MadeKey> => {
    const made = await createKey({
      database,
      partnerId,
      name: 'till',
      isTest: false,
      lifeMs,
      actor,
      randomBytes,
    })
    if (made.kind !== 'made') throw new Error(made.kind)
    return made
  }

  const rotate = (keyId: bigint, overlapMs: number): Promise<MadeKey | NotMade> =>
    rotateKey({ database, keyId, overlapMs, actor, randomBytes })

  it('is replaced by one that expires when it would have, or never', async () => {
    const partnerId = await newPartner()
    const tomorrow = await newKey(partnerId, DAY_MS)
    expect(await rotate(tomorrow.keyId, MAX_OVERLAP_MS)).toMatchObject({
      kind: 'made',
      expiresAt: tomorrow.expiresAt,
    })
    const forGood = await newKey(partnerId, null)
    expect(await rotate(forGood.keyId, 0)).toMatchObject({ kind: 'made', expiresAt: null })
  })

  it('counts beside its successor while both work: no partner has more working keys than it may', async () => {
    const partnerId = await newPartner()
    const first = (await listKeys(database, partnerId))?.[0]?.keyId ?? 0n
    const kinds: string[] = []
    for (let count = 1; count <= MAX_WORKING_KEYS; count += 1) {
      kinds.push((await rotate(first, MAX_OVERLAP_MS)).kind)
    }
    expect(kinds).toEqual([...Array.from({ length: MAX_WORKING_KEYS - 1 }, () => 'made'), 'too_many'])
    // One that ends at once makes room for its successor.
    expect((await rotate(first, 0)).kind).toBe('made')
    expect(
      (await listKeys(database, partnerId))?.filter(({ expiresAt }) => isToCome(expiresAt)),
    ).toHaveLength(MAX_WORKING_KEYS)
  })
})

const isToCome = (instant: Date | null): boolean => instant === null || instant.getTime() > Date.now()
