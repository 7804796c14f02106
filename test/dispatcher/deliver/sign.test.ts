import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rotateSigningSecret } from '../../../src/core/partners/signing-secret.ts'
import { createVault } from '../../../src/runtime/seal.ts'
import { testActor } from '../../support/actor.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { addDelivery, readAttempts, readDelivery } from '../../support/deliveries.ts'
import { type Harness, startHarness } from '../../support/dispatcher.ts'
import { eventually } from '../../support/eventually.ts'
import { addPartner } from '../../support/partner.ts'
import { answerWith, type Received } from '../../support/receiver.ts'
import { testVault } from '../../support/vault.ts'

let testDatabase: TestDatabase
let test: Harness
/** What the dispatchers' clock is put forward by, ms: they remember secrets for a few seconds. */
let skippedMs = 0

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  skippedMs = 0
  test = await startHarness(testDatabase.url)
})
afterEach(() => test.stop())

const dispatch = (given: Parameters<Harness['dispatch']>[0] = {}) =>
  test.dispatch({ nowMs: () => performance.now() + skippedMs, ...given })

const rotate = async (partnerId: bigint, overlapMs: number): Promise<string> => {
  const { database } = test
  const rotation = await rotateSigningSecret({
    actor: testActor,
    database,
    vault: testVault,
    partnerId,
    overlapMs,
    randomBytes,
  })
  skippedMs += 60_000
  return rotation.kind === 'rotated' ? rotation.signingSecret : ''
}

/** Delivers one outcome to the partner; resolves with what its endpoint got. */
const deliver = async (partnerId: bigint): Promise<Received> => {
  const before = test.receiver.received.length
  const id = await addDelivery(test.database, `${test.receiver.url}/callback`, partnerId)
  await eventually(async () => expect((await readDelivery(test.database, id)).state).toBe('delivered'))
  const [received] = test.receiver.received.slice(before)
  if (!received) throw new Error('delivered, yet nothing was received')
  return received
}

/** The packages that partners verify with; neither has any code of ours. */
const VERIFIERS = [
  ['standardwebhooks', (secret: string) => new Webhook(secret)],
  ['svix', (secret: string) => new SvixWebhook(secret)],
] as const

const verifies = (received: Received, secret: string): boolean[] =>
  VERIFIERS.map(([, verifier]) => {
    try {
      verifier(secret).verify(received.body, received.headers)
      return true
    } catch {
      return false
    }
  })

const BOTH = [true, true]
const NEITHER = [false, false]

describe('what an endpoint gets', () => {
  it.each(VERIFIERS)(
    'is verified by %s with the secret that its partner was shown',
    async (_name, verifier) => {
      dispatch()
      const { partnerId, signingSecret } = await addPartner(test.database)
      const received = await deliver(partnerId)
      expect(() => verifier(signingSecret).verify(received.body, received.headers)).not.toThrow()
    },
  )

  it('does not verify with another secret, another body, another id, or another time', async () => {
    dispatch()
    const { partnerId, signingSecret } = await addPartner(test.database)
    const stranger = await addPartner(test.database)
    const received = await deliver(partnerId)
    expect(verifies(received, signingSecret)).toEqual(BOTH)
    expect(verifies(received, stranger.signingSecret)).toEqual(NEITHER)
    expect(verifies({ ...received, body: `${received.body} ` }, signingSecret)).toEqual(NEITHER)
    for (const [name, value] of [
      ['webhook-id', 'msg_other'],
      ['webhook-timestamp', String(Number(received.headers['webhook-timestamp']) + 1)],
    ] as const) {
      const forged = { ...received, headers: { ...received.headers, [name]: value } }
      expect(verifies(forged, signingSecret)).toEqual(NEITHER)
    }
  })

  it('is signed over the bytes that were sent, whatever letters are in them', async () => {
    const { partnerId, signingSecret } = await addPartner(test.database)
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    const body = JSON.stringify({ result_desc: 'Malipo ya Wanjikũ — sawa 👍', amount: 150 })
    await sql`UPDATE deliveries SET body = ${body} WHERE id = ${id}`.execute(test.database)
    dispatch()
    await eventually(() => expect(test.receiver.received).toHaveLength(1))
    const [received] = test.receiver.received
    expect(received && [received.body, verifies(received, signingSecret)]).toEqual([body, BOTH])
  })

  it('carries a signature of its own at every attempt, under the same id', async () => {
    dispatch({ scheduleMs: [0, 1_000] })
    const { partnerId, signingSecret } = await addPartner(test.database)
    test.receiver.behave((received, response) =>
      answerWith(received.headers['webhook-attempt'] === '1' ? 500 : 200)(received, response),
    )
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    await eventually(async () => expect((await readDelivery(test.database, id)).state).toBe('delivered'))
    const [first, second] = test.receiver.received
    expect(first && verifies(first, signingSecret)).toEqual(BOTH)
    expect(second && verifies(second, signingSecret)).toEqual(BOTH)
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature'])
  })

  it('is not signed for a partner that never had a secret', async () => {
    dispatch()
    const received = await deliver(7n)
    expect(received.headers).not.toHaveProperty('webhook-signature')
    expect(received.headers).toHaveProperty('webhook-timestamp')
  })
})

describe('a rotation', () => {
  it('lets both secrets verify during the overlap, the new one first', async () => {
    dispatch()
    const { partnerId, signingSecret: before } = await addPartner(test.database)
    await deliver(partnerId)
    const after = await rotate(partnerId, 3_600_000)
    const received = await deliver(partnerId)
    expect(verifies(received, before)).toEqual(BOTH)
    expect(verifies(received, after)).toEqual(BOTH)
    const signatures = received.headers['webhook-signature']?.split(' ') ?? []
    expect(signatures).toEqual([expect.stringMatching(/^v1,/), expect.stringMatching(/^v1,/)])
    const alone = { ...received, headers: { ...received.headers, 'webhook-signature': signatures[0] ?? '' } }
    expect(verifies(alone, after)).toEqual(BOTH)
  })

  it('lets the new secret alone verify when the overlap is over, also while the old one is remembered', async () => {
    dispatch()
    const { partnerId, signingSecret: before } = await addPartner(test.database)
    const overlapMs = 2_000
    const after = await rotate(partnerId, overlapMs)
    const during = await deliver(partnerId)
    expect(verifies(during, before)).toEqual(BOTH)
    await eventually(async () => {
      const received = await deliver(partnerId)
      expect(verifies(received, before)).toEqual(NEITHER)
      expect(verifies(received, after)).toEqual(BOTH)
    })
  })

  it('without an overlap ends the old one at once', async () => {
    dispatch()
    const { partnerId, signingSecret: before } = await addPartner(test.database)
    const after = await rotate(partnerId, 0)
    const received = await deliver(partnerId)
    expect([verifies(received, before), verifies(received, after)]).toEqual([NEITHER, BOTH])
  })

  it('ends all that still signed when it asks for no overlap', async () => {
    dispatch()
    const { partnerId, signingSecret: first } = await addPartner(test.database)
    const second = await rotate(partnerId, 3_600_000)
    const third = await rotate(partnerId, 0)
    const received = await deliver(partnerId)
    const verified = [first, second, third].map((secret) => verifies(received, secret))
    expect(verified).toEqual([NEITHER, NEITHER, BOTH])
  })
})

describe('a secret that cannot be opened', () => {
  it('lets nothing go out unsigned; it is reported, and sent when the key is there', async () => {
    const { partnerId, signingSecret } = await addPartner(test.database)
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    const vault = createVault({ secretKey: randomBytes(32), previousSecretKey: null, randomBytes })
    const keyless = dispatch({ vault, scheduleMs: [0, 0, 3_600_000] })
    await eventually(async () => {
      const attempts = await readAttempts(test.database, id)
      expect(attempts.map((one) => one.error_class)).toEqual(['not_signed', 'not_signed'])
    })
    expect(test.receiver.received).toEqual([])
    expect(test.lines).toContainEqual(
      expect.objectContaining({ event: 'signing_secret_unreadable', partner_id: Number(partnerId) }),
    )
    await keyless.stop()
    await sql`UPDATE to_deliver SET due_at = now()`.execute(test.database)
    await sql`UPDATE deliveries SET next_attempt_at = now()`.execute(test.database)
    dispatch()
    await eventually(() => expect(test.receiver.received).toHaveLength(1))
    const [received] = test.receiver.received
    expect(received && verifies(received, signingSecret)).toEqual(BOTH)
  })

  it.each([
    ['that signs beside it for a while', 3_600_000],
    ['that signs no more', 1],
  ])('is mended by a rotation: the new one signs, whatever the old one is %s', async (_which, overlapMs) => {
    const { partnerId } = await addPartner(test.database)
    await sql`UPDATE signing_secrets SET secret_sealed = 's1.0' WHERE partner_id = ${partnerId}`.execute(
      test.database,
    )
    const after = await rotate(partnerId, overlapMs)
    dispatch()
    const received = await deliver(partnerId)
    expect(verifies(received, after)).toEqual(BOTH)
    expect(received.headers['webhook-signature']?.split(' ')).toHaveLength(1)
  })

  it('lets nothing go out by an older one either, where it is the newest: its partner may have no other', async () => {
    const { partnerId } = await addPartner(test.database)
    await rotate(partnerId, 3_600_000)
    await sql`
      UPDATE signing_secrets SET secret_sealed = 's1.0' WHERE partner_id = ${partnerId} AND expires_at IS NULL
    `.execute(test.database)
    dispatch({ scheduleMs: [0, 3_600_000] })
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    await eventually(async () => {
      const attempts = await readAttempts(test.database, id)
      expect(attempts.map((one) => one.error_class)).toEqual(['not_signed'])
    })
    expect(test.receiver.received).toEqual([])
  })

  it('of one partner keeps no other’s from being delivered', async () => {
    const [broken, other] = [await addPartner(test.database), await addPartner(test.database)]
    await sql`
      UPDATE signing_secrets SET secret_sealed = (
        SELECT secret_sealed FROM signing_secrets WHERE partner_id = ${other.partnerId}
      ) WHERE partner_id = ${broken.partnerId}
    `.execute(test.database)
    dispatch()
    await addDelivery(test.database, test.receiver.url, broken.partnerId)
    const received = await deliver(other.partnerId)
    expect(verifies(received, other.signingSecret)).toEqual(BOTH)
    expect(test.receiver.received).toHaveLength(1)
  })
})
