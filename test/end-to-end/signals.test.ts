import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { addDelivery } from '../support/deliveries.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'

const SECRET = `whsec_${Buffer.from('of the operators, 32 bytes long!').toString('base64')}`

let gateway: TestGateway
let sink: Receiver

beforeAll(async () => {
  sink = await startReceiver()
  gateway = await startTestGateway({
    stream: null,
    settings: { SIGNAL_URL: sink.url, SIGNAL_SECRET: SECRET },
  })
})
afterAll(async () => {
  await gateway.close()
  await sink.close()
})

/** Starts a process that kills itself at a crash point; resolves when it has. */
const crash = async (command: 'serve' | 'dispatch', at: string): Promise<void> => {
  const process = gateway.begin(command, { CRASH_AT: at, OPS_PORT: '0' })
  await vi.waitFor(async () => expect(await process.ended).toBe('SIGKILL'), 60_000)
}

const writtenSignals = () =>
  gateway.database.selectFrom('deliveries').select('webhook_id').where('partner_id', '=', 0n).execute()

it('a signal is written once and told under one id, whichever process is killed on the way', async () => {
  const { database } = gateway
  const partner = await database.selectFrom('partners').select('id').executeTakeFirstOrThrow()
  const dead = await addDelivery(database, 'https://shop.example/told', partner.id)
  await sql`DELETE FROM to_deliver`.execute(database)
  await sql`UPDATE deliveries SET state = 'dead', ended_at = now()`.execute(database)
  await sql`
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    VALUES (${dead}, ${partner.id}, 'shop.example', 'status', 'the last attempt failed')
  `.execute(database)

  await crash('serve', 'signal.before_commit')
  expect(await writtenSignals()).toEqual([])
  await crash('serve', 'signal.after_commit')
  expect(await writtenSignals()).toHaveLength(1)
  await crash('dispatch', 'post.after_send')
  // The lease of the one that was killed runs out.
  await sql`UPDATE to_deliver SET leased_until = now()`.execute(database)
  await Promise.all([gateway.start('serve'), gateway.start('dispatch')])
  await vi.waitFor(
    async () => {
      const [signal] = await database
        .selectFrom('deliveries')
        .select('state')
        .where('partner_id', '=', 0n)
        .execute()
      expect(signal?.state).toBe('delivered')
    },
    { timeout: 60_000, interval: 50 },
  )
  expect(sink.received.length).toBe(2)
  const [{ webhook_id } = { webhook_id: '' }] = await writtenSignals()
  for (const { headers, body } of sink.received) {
    expect(headers['webhook-id']).toBe(webhook_id)
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({
      type: 'delivery.dead',
      data: { count: 1 },
    })
  }
}, 180_000)
