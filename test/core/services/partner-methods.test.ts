import { randomBytes } from 'node:crypto'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOperatorClient } from '../../../src/core/services/operator-client.ts'
import { partnerMethods } from '../../../src/core/services/partner-methods.ts'
import type { Database } from '../../../src/database/connect.ts'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import type { OperatorClient } from '../../../src/runtime/operator-client.ts'
import { testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { testVault } from '../../support/vault.ts'

describe('a partner, by the messages of PartnerService', () => {
  let own: OpenDatabase
  let database: Database
  let partners: OperatorClient<typeof PartnerService>
  let partnerId: bigint

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
    partners = createOperatorClient({
      service: PartnerService,
      methods: partnerMethods,
      parts: { database, vault: testVault, randomBytes, log: quietLog },
      actor: testActor,
    })
    partnerId = (await partners.createPartner({ name: 'Duka' })).partnerId
  })
  afterAll(() => own.close())

  const settingsOf = async () => (await partners.getPartner({ partnerId })).partner?.settings

  it('has only those settings replaced that the mask names; without a mask all', async () => {
    const callbackHosts = ['shop.co.ke']
    await partners.setPartnerSettings({ partnerId, settings: { callbackHosts, maxPaymentKes: 5000 } })
    const masked = {
      settings: { requestsPerSecond: 5, maxDailyKes: 7n },
      updateMask: { paths: ['requests_per_second', 'max_payment_kes'] },
    }
    await partners.setPartnerSettings({ partnerId, settings: masked.settings, updateMask: masked.updateMask })
    expect(await settingsOf()).toMatchObject({ callbackHosts, requestsPerSecond: 5 })
    expect(await settingsOf()).not.toMatchObject({ maxPaymentKes: expect.anything() })
    expect(await settingsOf()).not.toMatchObject({ maxDailyKes: expect.anything() })
    await partners.setPartnerSettings({ partnerId, settings: { maxDailyKes: 100n } })
    expect(await settingsOf()).toMatchObject({ callbackHosts: [], maxDailyKes: 100n })
  })

  it('keeps its settings when the mask names what is no setting', async () => {
    const before = await settingsOf()
    const wrong = { partnerId, settings: {}, updateMask: { paths: ['max_daily_kes', 'name'] } }
    await expect(partners.setPartnerSettings(wrong)).rejects.toMatchObject({
      kind: 'wrong_field',
      wrong: { field: 'update_mask' },
    })
    expect(await settingsOf()).toEqual(before)
  })

  it.each([0n, -1n])('are not listed after the id %d, which is none', async (after) => {
    await expect(partners.listPartners({ after })).rejects.toMatchObject({
      kind: 'wrong_field',
      message: 'after must be a positive id',
    })
  })

  it('shows how its keys that work begin', async () => {
    const { keyId, apiKey } = await partners.createKey({ partnerId, name: 'till' })
    const prefixes = async () => (await partners.getPartner({ partnerId })).partner?.keyPrefixes
    expect(await prefixes()).toEqual([expect.any(String), apiKey.slice(0, 12)])
    await partners.revokeKey({ keyId })
    expect(await prefixes()).toEqual([expect.not.stringMatching(apiKey.slice(0, 12))])
  })

  it('is answered when its signing secrets of before end', async () => {
    const { previousUntil } = await partners.rotateSigningSecret({ partnerId, overlapSeconds: 3600 })
    const minutes = previousUntil && (timestampDate(previousUntil).getTime() - Date.now()) / 60_000
    expect(minutes).toBeCloseTo(60, 0)
  })
})
