import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { get, listeningUrl, openReceiver, openSimulator, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000

test('the front page says what it is and lists the outcomes', async () => {
  const { url } = await openSimulator({ callbackDelayMs: 0 })
  const answer = await request(url)
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
  const page = await answer.body.text()
  expect(page).toContain('simulator')
  expect(page).toMatch(/^cancelled +254700000002 +249002 /m)
})

test('it says that it is alive', async () => {
  const { url } = await openSimulator({ callbackDelayMs: 0 })
  expect(await get(`${url}/healthz`)).toEqual({ status: 200, body: { status: 'ok' } })
})

test('an unknown path and a wrong method are refused as Daraja does', async () => {
  const { url, post } = await openSimulator({ callbackDelayMs: 0 })
  expect(await post('/mpesa/b2c/v1/paymentrequest', {})).toMatchObject({
    status: 404,
    body: { errorCode: '404.001.01' },
  })
  expect(await get(`${url}/mpesa/stkpush/v1/processrequest?x=1`)).toMatchObject({
    status: 405,
    body: { errorCode: '405.001', errorMessage: 'Method Not Allowed' },
  })
  expect(await post('/oauth/v1/generate', {})).toMatchObject({ status: 405, body: { errorCode: '405.001' } })
})

test('a body beyond 64 KiB is refused', async () => {
  const { push } = await openSimulator({ callbackDelayMs: 0 })
  const answer = await push(pushBody({ Filler: 'x'.repeat(65_536) }))
  expect(answer).toMatchObject({ status: 400, body: { errorCode: '400.002.05' } })
})

test.each([-1, 3_600_001, Number.NaN])('a callback delay of %d ms is refused', async (callbackDelayMs) => {
  await expect(openSimulator({ callbackDelayMs })).rejects.toThrow(RangeError)
})

test('close ends idle connections, waiting pushes and pending callbacks', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const receiver = await openReceiver()
  const body = pushBody({ CallBackURL: `${receiver.url}/callbacks/stk/1` })
  await simulator.push(body)
  const waiting = simulator.push({ ...body, PhoneNumber: 254_700_000_032 })
  const idle = connect(Number(new URL(simulator.url).port), '127.0.0.1')
  await once(idle, 'connect')
  const ended = once(idle, 'close')
  idle.resume()

  const cut = expect(waiting).rejects.toThrow()
  await simulator.close()
  await Promise.all([cut, ended])
  expect(receiver.received).toEqual([])
  await expect(request(simulator.url)).rejects.toThrow('ECONNREFUSED')
})

test('close ends a callback that its receiver does not answer', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 0 })
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  const asked = once(silent, 'request')
  await simulator.push(pushBody({ CallBackURL: `${listeningUrl(silent)}/callbacks/stk/1` }))
  await asked
  await simulator.close()
  expect(simulator.logLines.some((line) => line.includes('callback failed'))).toBe(true)
})
