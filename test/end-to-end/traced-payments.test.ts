import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdAccount } from '../../src/core/daraja/back-off.ts'
import { createPlaces } from '../../src/runtime/tracing/places.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const MSISDN = '254712345678'

/** Longer than it takes to accept a payment and to send the spans of that. */
const HELD_MS = 30_000

let collector: OtlpReceiver
let gateway: TestGateway
beforeAll(async () => {
  collector = await startOtlpReceiver()
  gateway = await startTestGateway({ serve: 1, dispatch: 1, settings: collector.settings })
})
afterAll(async () => {
  await gateway?.close()
  await collector?.close()
})

const { traceIdOf } = createPlaces(Buffer.from(TEST_SECRET_KEY, 'hex'))

/** Asks for a payment; resolves with its id. */
const ask = async (headers: Record<string, string> = {}): Promise<number> => {
  const answer = await fetch(`${gateway.httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'x-api-key': gateway.apiKey, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      phone: MSISDN,
      amount: 150,
      reference: 'INV-2026-17',
      callback_url: `${gateway.world.receiver.url}/paid/t0ps3cret?customer=wanjiku`,
    }),
  })
  return ((await answer.json()) as { transaction_id: number }).transaction_id
}

const spansOf = (id: number): ReceivedSpan[] =>
  collector.spans().filter(({ traceId }) => traceId === traceIdOf(BigInt(id)))

const delivered = async (id: number): Promise<void> => {
  await eventually(() => expect(deliveriesOf(gateway.world.receiver, id)).toHaveLength(1))
}

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name)
  expect(found, name).toHaveLength(1)
  return found[0] as ReceivedSpan
}

describe('a payment from the partner’s POST to its endpoint', () => {
  let id: number
  let spans: ReceivedSpan[]
  beforeAll(async () => {
    id = await ask({ traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` })
    await delivered(id)
    spans = await eventually(() => {
      const came = spansOf(id)
      expect(came.map(({ name }) => name).toSorted()).toEqual(
        [
          'POST /api/v1/mpesa/stk_push',
          'accept payment',
          'push payment',
          'POST /mpesa/stkpush/v1/processrequest',
          'POST /callbacks/stk/{token}',
          'settle payment',
          `publish ${gateway.stream?.name}`,
          `process ${gateway.stream?.name}`,
          'POST',
        ].toSorted(),
      )
      return came
    })
  })

  it('is one trace of both processes, in which each span but the first stands under another', () => {
    const root = named(spans, 'POST /api/v1/mpesa/stk_push')
    expect(root.parentSpanId).toBeUndefined()
    const ids = new Set(spans.map(({ spanId }) => spanId))
    expect(ids.size).toBe(spans.length)
    for (const { name, parentSpanId } of spans.filter((span) => span !== root))
      expect(ids.has(parentSpanId ?? ''), name).toBe(true)
    const services = new Map(spans.map(({ name, service }) => [name, service]))
    expect(services.get('settle payment')).toBe('mpesa-gateway-serve')
    expect(services.get('POST')).toBe('mpesa-gateway-dispatch')
  })

  it('stands in the order in which one thing led to the other', () => {
    const parentOf = (name: string): string | undefined =>
      spans.find(({ spanId }) => spanId === named(spans, name).parentSpanId)?.name
    const stream = gateway.stream?.name
    expect({
      accept: parentOf('accept payment'),
      push: parentOf('push payment'),
      send: parentOf('POST /mpesa/stkpush/v1/processrequest'),
      callback: parentOf('POST /callbacks/stk/{token}'),
      settle: parentOf('settle payment'),
      publish: parentOf(`publish ${stream}`),
      process: parentOf(`process ${stream}`),
      post: parentOf('POST'),
    }).toEqual({
      accept: 'POST /api/v1/mpesa/stk_push',
      push: 'accept payment',
      send: 'push payment',
      callback: 'POST /api/v1/mpesa/stk_push',
      settle: 'POST /callbacks/stk/{token}',
      publish: 'settle payment',
      process: 'settle payment',
      post: `process ${stream}`,
    })
    for (const { startNs, endNs, name } of spans) expect(endNs >= startNs, name).toBe(true)
  })

  it('links where a row or a message stands between, to its caller, and to the statement of the batch', () => {
    const linkOf = (name: string) => named(spans, name).links.map(({ spanId }) => spanId)
    const stream = gateway.stream?.name
    expect(named(spans, 'POST /api/v1/mpesa/stk_push').links).toEqual([CALLER])
    expect(linkOf('POST /callbacks/stk/{token}')).toEqual([named(spans, 'push payment').spanId])
    expect(linkOf(`process ${stream}`)).toEqual([named(spans, `publish ${stream}`).spanId])
    const [batch] = named(spans, 'accept payment').links
    const statement = collector.spans().find(({ spanId }) => spanId === batch?.spanId)
    expect(statement).toMatchObject({ name: 'INSERT payments', traceId: batch?.traceId })
    expect(statement?.links.map(({ spanId }) => spanId)).toContain(named(spans, 'accept payment').spanId)
  })

  it('says what came of each step', () => {
    const attributesOf = (name: string) => named(spans, name).attributes
    expect(attributesOf('accept payment')).toMatchObject({
      'gateway.payment.id': id,
      'gateway.partner.id': 1,
    })
    expect(attributesOf('push payment')).toMatchObject({ 'gateway.push.outcome': 'accepted' })
    expect(attributesOf('POST /mpesa/stkpush/v1/processrequest')).toMatchObject({
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
    })
    expect(attributesOf('settle payment')).toMatchObject({ 'gateway.result_code': '0' })
    expect(attributesOf('POST')).toMatchObject({ 'http.response.status_code': 200 })
  })

  it('has its trace in every line of the log about it, and that of the caller where it asked', async () => {
    const lines = await eventually(() => {
      const all = [...gateway.serve, ...gateway.dispatch].flatMap((one) => linesOf(one.log()))
      const found = all.filter((line) => line['payment_id'] === id)
      expect(found.map(({ event }) => event)).toEqual(
        expect.arrayContaining([
          'payment_accepted',
          'push_accepted',
          'payment_successful',
          'delivery_attempted',
        ]),
      )
      return found
    })
    expect(new Set(lines.map(({ trace_id }) => trace_id))).toEqual(new Set([traceIdOf(BigInt(id))]))
    const asked = lines.find(({ event }) => event === 'payment_accepted')
    expect(asked?.['caller_trace_id']).toBe(CALLER.traceId)
  })

  it('is told to neither Daraja nor the partner', async () => {
    const [delivery] = deliveriesOf(gateway.world.receiver, id)
    expect(delivery?.headers).not.toHaveProperty('traceparent')
    expect(JSON.stringify(await gateway.world.prompts())).not.toContain(traceIdOf(BigInt(id)))
  })
})

const linesOf = (log: string): Record<string, unknown>[] =>
  log
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

it('a repeated request stands in the trace of the payment that it named', async () => {
  const headers = { 'x-idempotency-key': 'again' }
  const id = await ask(headers)
  expect(await ask(headers)).toBe(id)
  const both = await eventually(() => {
    const found = spansOf(id).filter(({ name }) => name === 'POST /api/v1/mpesa/stk_push')
    expect(found).toHaveLength(2)
    return found
  })
  const [first, again] = both.toSorted((one, other) => Number(one.startNs - other.startNs))
  expect(again?.parentSpanId).toBe(first?.spanId)
  expect(again?.attributes['gateway.duplicate']).toBe(true)
})

it('no span says a number, a key, a token, a CheckoutRequestID, or what a URL says beyond its host', async () => {
  const id = await ask()
  await delivered(id)
  await eventually(() => expect(spansOf(id).map(({ name }) => name)).toContain('POST'))
  const prompts = await gateway.world.prompts()
  const secrets = prompts.flatMap(({ checkout_request_id, callback_url, transactions }) =>
    [checkout_request_id].concat(
      callback_url.match(/[0-9a-f]{16,}/g) ?? [],
      transactions.map(({ receipt }) => receipt),
    ),
  )
  expect(secrets.length).toBeGreaterThan(3)
  const known = [MSISDN, MSISDN.slice(3), gateway.apiKey, TEST_SECRET_KEY, 't0ps3cret', 'wanjiku', 'passkey']
  const sent = collector.requests.map(({ body }) => body).join('')
  for (const secret of [...secrets, ...known]) expect(sent.includes(secret), secret).toBe(false)
})

describe('a `serve` that is killed between accept and push', () => {
  it('leaves the payment to another, in the same trace', async () => {
    const { serve, database, settings } = gateway
    await serve[0]?.end('SIGKILL')
    await holdAccount(database, {
      shortcode: settings['DARAJA_SHORTCODE'] ?? '',
      afterMs: HELD_MS,
      code: '500.003.02',
    })
    const first = await gateway.start('serve')
    const id = await ask()
    await eventually(() => expect(spansOf(id).map(({ name }) => name)).toContain('accept payment'))
    await first.end('SIGKILL')
    await database.updateTable('daraja_accounts').set({ held_until: new Date() }).execute()
    const second = await gateway.start('serve')
    await delivered(id)
    const spans = await eventually(() => {
      const came = spansOf(id)
      expect(came.map(({ name }) => name)).toContain('POST')
      return came
    })
    expect(named(spans, 'accept payment').pid).toBe(first.pid)
    expect(named(spans, 'push payment').pid).toBe(second.pid)
    expect(named(spans, 'push payment').parentSpanId).toBe(named(spans, 'accept payment').spanId)
  })
})
