import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { pauseEndpoint, resumeEndpoint } from '../../../src/core/deliveries/endpoints.ts'
import { retryDeliveries } from '../../../src/core/deliveries/retry.ts'
import { setDisabled } from '../../../src/core/partners/change-partner.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { addDeliveries } from '../../support/deliveries.ts'
import { type Harness, startHarness } from '../../support/dispatcher.ts'
import { eventually } from '../../support/eventually.ts'
import { addPartner } from '../../support/partner.ts'
import { answerWith } from '../../support/receiver.ts'
import { AMINA } from '../deliveries/harness.ts'
import { namesOf, toldOf } from './told.ts'

// Real dispatchers, and an endpoint of a partner that is in real trouble: each sentence is caused, and then its cause is
// taken away.

let own: TestDatabase
let test: Harness
let partnerId: bigint
let host: string
const LONG_SCHEDULE_MS = [0, 20, 20, 20, 20, 20, 600_000, 600_000]

beforeAll(async () => {
  own = await createTestDatabase()
  const seed = await startHarness(own.url)
  partnerId = (await addPartner(seed.database, { name: 'Duka la <b>Wanjiku</b>' })).partnerId
  await seed.stop()
})
afterAll(() => own.drop())
beforeEach(async () => {
  test = await startHarness(own.url)
  host = new URL(test.receiver.url).host
  expect(await namesOf(test.database)).toEqual(['all_well'])
})
afterEach(async () => {
  await test.stop()
})

const deliver = (count: number) =>
  addDeliveries(
    test.database,
    Array.from({ length: count }, () => `${test.receiver.url}/paid`),
    partnerId,
  )

/** As if so much time had passed for everything that waits. */
const letPass = (seconds: number) =>
  sql`UPDATE to_deliver SET due_at = due_at - make_interval(secs => ${seconds})`.execute(test.database)

const openSoon = () =>
  sql`UPDATE endpoints SET open_until = now() WHERE state = 'open'`.execute(test.database)

const retryAll = (ids: readonly bigint[]) =>
  retryDeliveries({
    database: test.database,
    actor: AMINA,
    ids: [...ids],
    sendDeliveredAgain: false,
    delaySeconds: 0,
    spacingSeconds: 0,
  })

it('endpoint_down: who, which, what it answers, since when and how many wait; gone when it answers again', async () => {
  test.receiver.behave(answerWith(500, '<script>alert(1)</script>'))
  const dispatcher = test.dispatch({ scheduleMs: LONG_SCHEDULE_MS })
  await deliver(3)
  const told = await eventually(async () => {
    const [one] = await toldOf(test.database, 'endpoint_down')
    expect(one?.count).toBe(3)
    return one
  })
  expect(told).toMatchObject({
    severity: 'act',
    isMore: false,
    partner: { id: partnerId, name: 'Duka la <b>Wanjiku</b>' },
    host,
    command: `gateway deliveries probe --partner ${partnerId} --host ${host}`,
  })
  const { rows } = await sql<{ at: Date }>`SELECT min(started_at) AS at FROM attempts`.execute(test.database)
  expect(told?.since).toEqual(rows[0]?.at)
  const at = rows[0]?.at.toISOString().slice(11, 16) ?? ''
  expect(told?.text).toBe(
    `3 payments of Duka la <b>Wanjiku</b> wait: its endpoint ${host} answers 500 since ${at} UTC.`,
  )
  test.receiver.behave(answerWith(200))
  await openSoon()
  await sql`UPDATE to_deliver SET due_at = now(), publish_at = now()`.execute(test.database)
  await eventually(async () => expect(await namesOf(test.database)).toEqual(['all_well']))
  await dispatcher.stop()
})

it('endpoint_paused and deliveries_held: what is paused, by whom; and once resumed, that they go out', async () => {
  await pauseEndpoint({ database: test.database, actor: AMINA, partner_id: partnerId, host })
  const dispatcher = test.dispatch()
  await deliver(2)
  await eventually(async () => {
    const [paused] = await toldOf(test.database, 'endpoint_paused')
    expect(paused).toMatchObject({ severity: 'look', count: 2, partner: { id: partnerId }, host })
    expect(paused?.text).toMatch(
      /^2 payments of .* wait: its endpoint 127\.0\.0\.1:\d+ is paused by amina since \d\d:\d\d UTC\.$/,
    )
    expect(paused?.command).toBe(`gateway deliveries resume --partner ${partnerId} --host ${host}`)
    const { rows } = await sql`SELECT FROM to_deliver WHERE held_at IS NULL`.execute(test.database)
    expect(rows).toEqual([])
  })
  await dispatcher.stop()
  await sql`UPDATE endpoints SET paused_at = paused_at - interval '2 days'`.execute(test.database)
  expect(await toldOf(test.database, 'endpoint_paused')).toMatchObject([{ severity: 'act' }])
  await resumeEndpoint({ database: test.database, actor: AMINA, partner_id: partnerId, host })
  expect(await toldOf(test.database, 'endpoint_paused')).toEqual([])
  expect(await toldOf(test.database, 'deliveries_held')).toMatchObject([{ severity: 'look', count: 2, host }])
  test.dispatch()
  await eventually(async () => expect(await namesOf(test.database)).toEqual(['all_well']))
})

it('deliveries_dead: what was given up; gone when it was sent again', async () => {
  test.receiver.behave(answerWith(404))
  test.dispatch({ scheduleMs: [0] })
  const ids = await deliver(2)
  await eventually(async () => {
    const [dead] = await toldOf(test.database, 'deliveries_dead')
    expect(dead).toMatchObject({ severity: 'act', count: 2, partner: { id: partnerId }, host })
    expect(dead?.text).toMatch(/^2 outcomes of .* were given up for its endpoint /)
  })
  test.receiver.behave(answerWith(200))
  await retryAll(ids)
  await eventually(async () => expect(await namesOf(test.database)).toEqual(['all_well']))
})

it('deliveries_late: what is due and nobody makes; gone when a dispatcher runs', async () => {
  await deliver(3)
  expect(await namesOf(test.database)).toEqual(['all_well'])
  await letPass(180)
  const [late] = await toldOf(test.database, 'deliveries_late')
  expect(late).toMatchObject({ severity: 'urgent', count: 3 })
  expect(late?.text).toBe(
    '3 outcomes are due and not delivered, the oldest for 3 minutes: is gateway dispatch running, and fast enough?',
  )
  test.dispatch()
  await eventually(async () => expect(await namesOf(test.database)).toEqual(['all_well']))
})

it('partner_disabled_with_waiting: whose outcomes still wait; gone when they are delivered', async () => {
  await deliver(1)
  await setDisabled({ database: test.database, partnerId, isDisabled: true, actor: AMINA })
  const [told] = await toldOf(test.database, 'partner_disabled_with_waiting')
  expect(told).toMatchObject({ severity: 'look', count: 1, partner: { id: partnerId } })
  expect(told?.text).toMatch(
    / is disabled since \d\d:\d\d UTC, and 1 outcome of its earlier payments still waits /,
  )
  test.dispatch()
  await eventually(async () => expect(await namesOf(test.database)).toEqual(['all_well']))
  await setDisabled({ database: test.database, partnerId, isDisabled: false, actor: AMINA })
})
