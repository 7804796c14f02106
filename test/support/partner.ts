import { randomBytes } from 'node:crypto'
import { createKey } from '../../src/core/partners/api-key.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import type { Database } from '../../src/database/connect.ts'
import type { Vault } from '../../src/runtime/seal.ts'
import { testActor } from './actor.ts'
import { testVault } from './vault.ts'

export type TestPartner = Awaited<ReturnType<typeof createPartner>>

/** Creates a partner; its secret opens with `TEST_SECRET_KEY` unless another vault is given. */
export const addPartner = (
  database: Database,
  { name = 'Duka la Wanjiku', vault = testVault }: { name?: string; vault?: Vault } = {},
): Promise<TestPartner> => createPartner({ actor: testActor, database, name, vault, randomBytes })

/** Gives a partner a test key, whose payments are rehearsed. */
export const addTestKey = async (of: { database: Database; partnerId: bigint }): Promise<string> => {
  const { database, partnerId } = of
  const key = { name: 'rehearsal', lifeMs: null, isTest: true, actor: testActor, randomBytes }
  const made = await createKey({ database, partnerId, ...key })
  if (made.kind !== 'made') throw new Error(made.kind)
  return made.apiKey
}
