import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { DELIVERY_FIELDS } from '../support/guide.ts'
import { countDeliveries, countPrompts, deliveriesOf } from '../support/outside-world.ts'

type Answer = {
  status: number
  text: string
  body: { status: string; transaction_id: number; message: string }
}

describe('serve and dispatch as separate processes', () => {
  let gateway: TestGateway
  let agent: Agent

  beforeAll(async () => {
    gateway = await startTestGateway({ serve: 2, dispatch: 2 })
    agent = new Agent({ connections: 20 })
  })
  afterAll(async () => {
    await agent.close()
    await gateway.close()
  })

  const push = async (options: { key?: string; url?: string; phone?: string }): Promise<Answer> => {
    const answer = await request(`${options.url ?? gateway.httpUrl}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      dispatcher: agent,
      headers: {
        'content-type': 'application/json',
        'x-api-key': gateway.apiKey,
        ...(options.key !== undefined && { 'x-idempotency-key': options.key }),
      },
      body: JSON.stringify({
        phone: options.phone ?? '254712345678',
        amount: 150,
        reference: 'INV-2025-001',
        callback_url: `${gateway.world.receiver.url}/payment_callback`,
      }),
    })
    const text = await answer.body.text()
    return { status: answer.statusCode, text, body: JSON.parse(text) }
  }

  const firstDelivery = (transactionId: number) =>
    eventually(() => {
      const [delivery] = deliveriesOf(gateway.world.receiver, transactionId)
      if (!delivery) throw new Error('nothing has arrived yet')
      return delivery
    })

  it('a payment is requested, prompted, settled, and its outcome delivered', async () => {
    const answer = await push({ key: 'first' })
    const id = answer.body.transaction_id
    expect(answer.text).toBe(
      `{"status":"success","transaction_id":${id},"message":"STK Push accepted for processing"}`,
    )
    expect((await push({ key: 'first' })).text).toBe(
      `{"status":"duplicate","transaction_id":${id},"message":"Duplicate request (idempotency)"}`,
    )
    const { headers, body } = await firstDelivery(id)
    expect(Object.keys(JSON.parse(body))).toEqual(DELIVERY_FIELDS)
    expect(JSON.parse(body)).toMatchObject({
      transaction_id: id,
      result_code: 0,
      amount: 150,
      status: 'successful',
    })
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': `msg_${id}_successful`,
      'webhook-attempt': '1',
    })
  })

  it('a payer who cancels: failed, with M-PESA’s code', async () => {
    const { body } = await push({ phone: '254700000002' })
    const delivery = await firstDelivery(body.transaction_id)
    expect(JSON.parse(delivery.body)).toMatchObject({
      status: 'failed',
      result_code: 1032,
      mpesa_receipt: null,
    })
  })

  it('200 parallel requests with one key, over 20 connections and two processes: one payment, one prompt', async () => {
    const urls = [gateway.httpUrl, gateway.serve[1]?.ready['http_url'] ?? '']
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_one, index) => push({ key: 'race', url: urls[index % 2] ?? '' })),
    )
    const ids = new Set(answers.map(({ body }) => body.transaction_id))
    expect(ids.size).toBe(1)
    expect(answers.filter(({ body }) => body.status === 'success')).toHaveLength(1)
    expect(answers.filter(({ body }) => body.status === 'duplicate')).toHaveLength(199)
    const [id = 0] = ids
    await firstDelivery(id)
    const prompts = await countPrompts(gateway.world)
    expect(prompts.get(id)).toBe(1)
  })

  it('many payments over all replicas: each prompted once, each delivered once', async () => {
    const answers = await Promise.all(Array.from({ length: 150 }, () => push({})))
    const ids = answers.map(({ body }) => body.transaction_id)
    await eventually(async () => {
      const open = gateway.database.selectFrom('to_deliver').select('delivery_id')
      const unsettled = gateway.database
        .selectFrom('payments')
        .select('id')
        .where('state', 'not in', ['successful', 'failed'])
      expect(await unsettled.execute()).toEqual([])
      expect(await open.execute()).toEqual([])
    })
    const delivered = countDeliveries(gateway.world.receiver)
    const counts = ids.map((id) => delivered.get(id) ?? 0)
    expect(new Set(counts)).toEqual(new Set([1]))
    const prompts = await countPrompts(gateway.world)
    expect(new Set(ids.map((id) => prompts.get(id)))).toEqual(new Set([1]))
  })

  it('what was answered before a kill -9 of every process exists after it, nobody is prompted twice, and others go on', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => push({})))
    await Promise.all([...gateway.serve, ...gateway.dispatch].map((one) => one.end('SIGKILL')))
    gateway.serve.splice(0, 2, await gateway.start('serve'))
    gateway.dispatch.splice(0, 2, await gateway.start('dispatch'))
    const ids = answers.map(({ body }) => body.transaction_id)
    const prompts = await countPrompts(gateway.world)
    for (const id of ids) expect(prompts.get(id) ?? 0).toBeLessThanOrEqual(1)
    const stored = await gateway.database
      .selectFrom('payments')
      .select('id')
      .where('id', 'in', ids.map(BigInt))
      .execute()
    expect(stored).toHaveLength(ids.length)
    await firstDelivery((await push({})).body.transaction_id)
  })

  it('end cleanly when asked to', async () => {
    const processes = [...gateway.serve, ...gateway.dispatch]
    expect(await Promise.all(processes.map((one) => one.end('SIGTERM')))).toEqual(processes.map(() => 0))
    for (const one of processes) expect(one.log()).not.toMatch(/"level":"(error|fatal)"/)
  })
})
