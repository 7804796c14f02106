import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { insertPayments, toEntry } from '../../src/core/request/accept.ts'
import { parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import { PaymentEventService } from '../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { connectTo, startOwnDatabase } from '../support/own-database.ts'
import { paymentRequest } from '../support/requests.ts'

/** How often the process that is watched is killed. */
const KILLS = Number(process.env['KILLS'] ?? 3)

let gateway: TestGateway
let processes: GatewayProcess[]
beforeAll(async () => {
  const own = await startOwnDatabase()
  const database = connectTo(own)
  const close = async (): Promise<void> => {
    await database.destroy()
    await own.drop()
  }
  gateway = await startTestGateway({ serve: 2, stream: null, database: { url: own.url, database, close } })
  processes = [...gateway.serve]
})
afterAll(() => gateway.close())

/** What a watcher has seen, and from where it would go on. */
type Notes = { seen: string[]; cursor: string }

/** Watches at a process until that ends, or until `signal`; notes each event as it is dealt with. */
const watchAt = async (at: GatewayProcess, notes: Notes, signal: AbortSignal): Promise<void> => {
  const transport = createGrpcTransport({ baseUrl: at.ready['grpc_url'] ?? '' })
  const events = createClient(PaymentEventService, transport)
  const headers = { 'x-api-key': gateway.apiKey }
  const request = { after: notes.cursor, heartbeatSeconds: 1 }
  for await (const message of events.watchPayments(request, { headers, signal })) {
    for (const event of message.events) {
      notes.seen.push(`${event.paymentId}.${event.number}`)
      notes.cursor = event.cursor
    }
    notes.cursor = message.cursor
  }
}

/** Watches until `signal`, at one process after the other: whichever is there when the last has ended. */
const watchOn = async (notes: Notes, signal: AbortSignal): Promise<void> => {
  for (let turn = 0; !signal.aborted; turn += 1) {
    const at = processes[turn % processes.length]
    if (at !== undefined) await watchAt(at, notes, signal).catch(() => undefined)
  }
}

/** Asks a process for a payment; what is not answered may have been accepted or not. */
const ask = async (at: GatewayProcess | undefined): Promise<void> => {
  const { msisdn, amountKes, callbackUrl } = paymentRequest()
  const answer = await fetch(`${at?.ready['http_url']}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'X-API-KEY': gateway.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ phone: msisdn, amount: amountKes, callback_url: callbackUrl }),
  }).catch(() => null)
  await answer?.body?.cancel()
}

/** Accepts a payment in a transaction that stays open while payments with later numbers are committed. */
const acceptSlowly = async (meanwhile: () => Promise<void>): Promise<void> => {
  const parsed = parsePaymentRequest(paymentRequest(), {
    policy: { allowHttp: true, allowPrivateNetworks: true },
  })
  if (!('request' in parsed)) throw new Error(JSON.stringify(parsed))
  const transaction = await gateway.database.startTransaction().execute()
  const entries = [toEntry({ partnerId: 1n, request: parsed.request })]
  await insertPayments({ database: transaction, submitTtlMs: 120_000, above: 0n, entries })
  await meanwhile()
  await transaction.commit().execute()
}

const countMoves = async (): Promise<number> => {
  const { rows } = await sql<{
    count: number
  }>`SELECT count(*)::integer AS count FROM payment_history`.execute(gateway.database)
  return rows[0]?.count ?? 0
}

/** Every event that there is, by the rows themselves. */
const readAll = async (): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`
    SELECT concat(id, '.1') AS name FROM payments
    UNION ALL SELECT concat(payment_id, '.', event_number) FROM payment_history
  `.execute(gateway.database)
  return rows.map(({ name }) => name).toSorted()
}

it(`a watcher that goes on elsewhere, ${KILLS} times after a SIGKILL, misses no change and sees none twice`, async () => {
  const done = new AbortController()
  const notes: Notes = { seen: [], cursor: '' }
  const watching = watchOn(notes, done.signal)
  await eventually(() => expect(notes.cursor).not.toBe(''))
  for (let kill = 0; kill < KILLS; kill += 1) {
    const [watched, other] = processes
    // Moves of others commit while this one is open.
    await acceptSlowly(async () => {
      const moves = await countMoves()
      await Promise.all([ask(watched), ask(other), ask(other)])
      await eventually(async () => expect(await countMoves()).toBeGreaterThan(moves + 3))
    })
    const asking = Array.from({ length: 20 }, (_one, index) => ask(processes[index % 2]))
    const { length } = notes.seen
    await eventually(() => expect(notes.seen.length).toBeGreaterThan(length))
    await watched?.end('SIGKILL')
    await Promise.all(asking)
    processes = [...processes.slice(1), await gateway.start('serve', { HTTP_PORT: '0' })]
  }
  await ask(processes[0])
  await eventually(async () => {
    expect(notes.seen.toSorted()).toEqual(await readAll())
    expect(await countMoves()).toBeGreaterThan(0)
  }, 60_000)
  done.abort()
  await watching
  const numbers = Map.groupBy(notes.seen, (name) => name.split('.')[0])
  for (const [id, names] of numbers) {
    expect(names).toEqual(names.map((_name, index) => `${id}.${index + 1}`))
  }
}, 180_000)
