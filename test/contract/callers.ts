import { randomBytes } from 'node:crypto'
import { createKey, revokeKey } from '../../src/core/partners/api-key.ts'
import { setDisabled } from '../../src/core/partners/change-partner.ts'
import { makeSecret } from '../../src/core/partners/secret.ts'
import { createServiceToken, revokeServiceToken } from '../../src/core/partners/service-token.ts'
import { SCOPES } from '../../src/values/scope.ts'
import { testActor } from '../support/actor.ts'
import type { TestCore } from '../support/core.ts'
import { addPartner } from '../support/partner.ts'

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

/** Everybody who may call, by name, with the headers that each shows. Tokens name the test's partner as the one they ask for. */
export const makeCallers = async (test: TestCore): Promise<Record<string, Record<string, string>>> => {
  const { database } = test
  const newPartner = () => addPartner(database, { name: 'Another' })
  const [other, disabled] = [await newPartner(), await newPartner()]
  await setDisabled({ database, partnerId: disabled.partnerId, isDisabled: true, actor })
  const bearer = (token: string) => ({
    authorization: `Bearer ${token}`,
    'x-partner-id': String(test.partnerId),
  })
  const callers: Record<string, Record<string, string>> = {
    'no key': {},
    'mistyped key': { 'x-api-key': `${test.apiKey.slice(0, -1)}!` },
    'invented key': { 'x-api-key': makeSecret('mpg_', randomBytes) },
    'revoked key': { 'x-api-key': await makeKey(test, 'revoked') },
    'expired key': { 'x-api-key': await makeKey(test, 'expired') },
    'disabled partner': { 'x-api-key': disabled.apiKey },
    'other partner': { 'x-api-key': other.apiKey },
    'own partner': test.headers,
    'key as a token': bearer(test.apiKey),
    'invented token': bearer(makeSecret('mps_', randomBytes)),
    'revoked token': bearer(await makeRevokedToken(test)),
  }
  for (const scope of SCOPES) {
    const made = { actor: testActor, database, name: scope, scopes: [scope], randomBytes }
    callers[scope] = bearer((await createServiceToken(made)).token)
  }
  return callers
}

const makeKey = async (test: TestCore, end: 'revoked' | 'expired'): Promise<string> => {
  const { database, partnerId } = test
  const made = await createKey({
    database,
    partnerId,
    name: end,
    isTest: false,
    lifeMs: 1,
    actor,
    randomBytes,
  })
  if (made.kind !== 'made') throw new Error(made.kind)
  if (end === 'revoked') await revokeKey({ database, keyId: made.keyId, actor })
  return made.apiKey
}

const makeRevokedToken = async ({ database }: TestCore): Promise<string> => {
  const { tokenId, token } = await createServiceToken({
    actor: testActor,
    database,
    name: 'revoked',
    scopes: SCOPES,
    randomBytes,
  })
  await revokeServiceToken({ database, tokenId, actor })
  return token
}
