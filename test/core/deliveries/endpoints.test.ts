import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { pauseEndpoint, resumeEndpoint } from '../../../src/core/deliveries/endpoints.ts'
import { listEndpoints } from '../../../src/core/deliveries/list-endpoints.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries, addDelivery, readDelivery } from '../../support/deliveries.ts'
import { addPartner } from '../../support/partner.ts'
import { AMINA, clear, end, hold } from './harness.ts'

const URL = 'https://shop.co.ke/callback'
const HOST = 'shop.co.ke'

let own: OpenDatabase
let database: Database
let partnerId: bigint
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  const added = await addPartner(database)
  partnerId = added.partnerId
})
afterAll(() => own.close())
beforeEach(() => clear(database))

const pause = (name = 'amina', id = partnerId) =>
  pauseEndpoint({ database, actor: { ...AMINA, name }, partner_id: id, host: HOST })

const resume = () => resumeEndpoint({ database, actor: AMINA, partner_id: partnerId, host: HOST })

const list = (options: Partial<Parameters<typeof listEndpoints>[0]> = {}) =>
  listEndpoints({
    database,
    partnerId: null,
    isTest: false,
    host: null,
    pausedOnly: false,
    after: null,
    limit: 100,
    ...options,
  })

const readEndpoint = () => database.selectFrom('endpoints').selectAll().executeTakeFirst()

describe('an endpoint', () => {
  it('is paused once, and stays so since when and by whom it was', async () => {
    const first = await pause()
    expect(first).toEqual({ pausedAt: expect.any(Date), isNew: true })
    expect(await pause('baraka')).toEqual({ pausedAt: first?.pausedAt, isNew: false })
    expect(await readEndpoint()).toMatchObject({
      partner_id: partnerId,
      host: HOST,
      state: 'closed',
      paused_by: 'amina',
    })
  })

  it('of a partner that does not exist is not paused', async () => {
    expect(await pause('amina', 999_999n)).toBeNull()
    expect(await readEndpoint()).toBeUndefined()
  })

  it('that is resumed lets go of what it held at the ramp, and says how much that is', async () => {
    await pause()
    const ids = await addDeliveries(database, [URL, URL, URL], partnerId)
    for (const id of ids.slice(1)) await hold(database, id)
    expect(await resume()).toEqual({ held: 2, isMore: false })
    expect(await readEndpoint()).toMatchObject({
      state: 'ramping',
      paused_at: null,
      paused_by: null,
      release_at: expect.any(Date),
    })
    expect(await resume()).toBeNull()
  })

  it('that is down when it is resumed stays so until a probe says otherwise', async () => {
    await pause()
    await sql`UPDATE endpoints SET state = 'open', open_until = now() + interval '1 minute'`.execute(database)
    const before = await readEndpoint()
    await resume()
    expect(await readEndpoint()).toMatchObject({
      state: 'open',
      open_until: before?.open_until,
      release_at: null,
    })
  })

  it('is written down with who paused and resumed it, once', async () => {
    await pause()
    await pause()
    await resume()
    await resume()
    const rows = await database.selectFrom('audit').selectAll().orderBy('id').execute()
    expect(rows).toMatchObject([
      { action: 'paused', subject_kind: 'endpoint', subject_id: HOST, partner_id: partnerId },
      { action: 'resumed', subject_kind: 'endpoint', subject_id: HOST, partner_id: partnerId },
    ])
  })
})

describe('endpoints', () => {
  it('that had trouble, are paused, or hold something are listed, and those that are well are not', async () => {
    await addDelivery(database, 'https://well.co.ke/', partnerId)
    await pause()
    const [pending = 0n, held = 0n, dead = 0n] = await addDeliveries(database, [URL, URL, URL], partnerId)
    await hold(database, held)
    await end(database, dead, 'dead')
    await sql`
      INSERT INTO endpoints (partner_id, host, state, failures, open_until)
      VALUES (${partnerId}, 'down.co.ke', 'open', 5, now() + interval '1 minute')
    `.execute(database)
    const [down, shop, ...others] = await list()
    expect(others).toEqual([])
    expect(down).toMatchObject({
      host: 'down.co.ke',
      state: 'open',
      failures: 5,
      open_until: expect.any(Date),
      paused_at: null,
      pending: 0,
      oldest_created_at: null,
    })
    expect(shop).toMatchObject({
      partner_id: partnerId,
      host: HOST,
      state: 'closed',
      open_until: null,
      paused_at: expect.any(Date),
      paused_by: 'amina',
      pending: 1,
      held: 1,
      dead: 1,
      oldest_created_at: (await readDelivery(database, pending)).created_at,
    })
    expect(await list({ pausedOnly: true })).toEqual([shop])
    expect(await list({ partnerId: 999_999n })).toEqual([])
    expect(await list({ limit: 1 })).toEqual([down])
    expect(await list({ after: { partner_id: partnerId, host: 'down.co.ke' } })).toEqual([shop])
  })

  it('say that there are more where not all of their deliveries were counted', async () => {
    const ids = await addDeliveries(database, [URL, URL, URL, URL, URL, URL, URL], partnerId)
    for (const id of ids.slice(0, 2)) await hold(database, id)
    for (const id of ids.slice(2, 5)) await end(database, id, 'dead')
    const [all] = await list({ most: 3 })
    expect(all).toMatchObject({ pending: 2, held: 2, dead: 3 })
    expect(all).toMatchObject({ pending_or_more: false, held_or_more: false, dead_or_more: false })
    const [some] = await list({ most: 1 })
    expect(some).toMatchObject({ held: 1, dead: 1, held_or_more: true, dead_or_more: true })
    expect(some).toMatchObject({ pending_or_more: true, oldest_created_at: expect.any(Date) })
  })
})
