import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Received, type Receiver, startReceiver } from '../../src/local/receiver.ts'

let receiver: Receiver
let heard: Received[]

beforeEach(async () => {
  heard = []
  receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    clock: () => new Date('2026-05-04T18:04:28Z'),
    onReceived: (received) => heard.push(received),
  })
})
afterEach(() => receiver.stop())

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${receiver.url}${path}`, { method: 'POST', body, headers })

const list = async (query = ''): Promise<unknown> => (await fetch(`${receiver.url}/_received${query}`)).json()

describe('the receiver', () => {
  it('takes every POST and lists path, headers, time and the very text of the body, the oldest first', async () => {
    const body = '{"transaction_id":102,  "amount":1.50,"status":"successful"}'
    expect((await post('/payment_callback?shop=1', body, { 'webhook-id': 'msg_1' })).status).toBe(200)
    expect((await post('/other', 'no JSON')).status).toBe(200)
    expect(await list()).toEqual([
      {
        path: '/payment_callback?shop=1',
        received_at: '2026-05-04T18:04:28.000Z',
        headers: expect.objectContaining({ 'webhook-id': 'msg_1' }),
        body,
      },
      expect.objectContaining({ path: '/other', body: 'no JSON' }),
    ])
    expect(heard.map(({ path }) => path)).toEqual(['/payment_callback?shop=1', '/other'])
  })

  it('lists those of one transaction', async () => {
    for (const id of [1, 2, 1]) await post(`/for/${id}`, JSON.stringify({ transaction_id: id }))
    await post('/', '[1]')
    expect(await list('?transaction_id=1')).toMatchObject([{ path: '/for/1' }, { path: '/for/1' }])
    expect(await list('?transaction_id=3')).toEqual([])
  })

  it('keeps the last thousand, and forgets them on DELETE', async () => {
    for (let number = 0; number < 1_002; number += 1) await post(`/${number}`, '')
    const kept = await list()
    expect(kept).toHaveLength(1_000)
    expect(kept).toMatchObject({ 0: { path: '/2' }, 999: { path: '/1001' } })
    expect((await fetch(`${receiver.url}/_received`, { method: 'DELETE' })).status).toBe(204)
    expect(await list()).toEqual([])
  })

  it('refuses what is too large and what is no POST, and lives on', async () => {
    expect((await post('/', 'x'.repeat(1_048_577))).status).toBe(413)
    expect((await fetch(receiver.url)).status).toBe(404)
    expect((await fetch(`${receiver.url}/_received`, { method: 'PUT' })).status).toBe(405)
    await new Promise((resolve) => {
      const cut = request(receiver.url, { method: 'POST', headers: { 'content-length': '10' } })
      cut.on('error', resolve).write('half', () => cut.destroy())
    })
    expect(await list()).toEqual([])
  })
})
