// A shop in Node that takes M-PESA: it asks for payments, receives their outcomes, and is safe to repeat.
//
//   BASE_URL=… API_KEY=… SIGNING_SECRET=whsec_… CALLBACK_BASE=https://shop.example.com STORE=shop.db node shop.mjs
//   curl -X PUT http://127.0.0.1:8000/orders/17 -d '{"phone":"254712345678","amount":150}'
//   curl http://127.0.0.1:8000/orders/17
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { buffer } from 'node:stream/consumers'
import { createPartnerClient, verifyCallback } from '@mpesa-gateway/client'

const { BASE_URL, API_KEY, SIGNING_SECRET, CALLBACK_BASE, STORE = 'shop.db', PORT = '8000' } = process.env
const gateway = createPartnerClient({ baseUrl: BASE_URL, apiKey: API_KEY })

const store = new DatabaseSync(STORE)
store.exec(`
  CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, phone TEXT NOT NULL, amount INTEGER NOT NULL, idempotency_key TEXT NOT NULL,
    transaction_id INTEGER, status TEXT NOT NULL DEFAULT 'waiting', handed_out INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS handled (webhook_id TEXT PRIMARY KEY);
`)
const readOrder = (id) => store.prepare('SELECT * FROM orders WHERE id = ?').get(id)

/** The order and its idempotency key are stored before the gateway is asked: whoever asks again, asks for the same payment. */
const order = async (id, { phone, amount }) => {
  const { changes } = store
    .prepare('INSERT OR IGNORE INTO orders (id, phone, amount, idempotency_key) VALUES (?, ?, ?, ?)')
    .run(id, phone, amount, crypto.randomUUID())
  const stored = readOrder(id)
  const request = {
    phone: stored.phone,
    amount: stored.amount,
    reference: id,
    callback_url: `${CALLBACK_BASE}/payment_callback/${encodeURIComponent(id)}`,
  }
  try {
    const answer = await gateway.requestPayment(request, { idempotencyKey: stored.idempotency_key })
    store.prepare('UPDATE orders SET transaction_id = ? WHERE id = ?').run(answer.transaction_id, id)
    return readOrder(id)
  } catch (error) {
    // Nothing is stored of what was asked for the first time: the order may be PUT again, corrected. Of one that was asked for
    // before, the payment may be there.
    if (error.status === 400 && changes === 1) store.prepare('DELETE FROM orders WHERE id = ?').run(id)
    throw error
  }
}

/**
 * In one transaction: the outcome is known as handled exactly when the order has it. A success may follow a failure, never the
 * other way round. For a test payment nothing is handed out.
 */
const handle = (id, { webhookId, test, outcome }) => {
  const isPaid = outcome.status === 'successful' && test === null
  let fits = true
  store.exec('BEGIN IMMEDIATE')
  try {
    const { changes } = store.prepare('INSERT OR IGNORE INTO handled VALUES (?)').run(webhookId)
    const order = readOrder(id)
    fits = order?.amount === outcome.amount && [null, outcome.transaction_id].includes(order.transaction_id)
    if (changes > 0 && fits)
      store
        .prepare(
          `UPDATE orders SET status = ?, handed_out = handed_out + ? WHERE id = ? AND status <> 'successful'`,
        )
        .run(outcome.status, isPaid ? 1 : 0, id)
    store.exec('COMMIT')
  } catch (error) {
    store.exec('ROLLBACK')
    throw error
  }
  // It is answered all the same, for it would come again as it is. Somebody must look: money may have been paid.
  if (!fits)
    console.error(`outcome ${webhookId} fits no order: order ${id}, transaction ${outcome.transaction_id}`)
}

const answer = async (request) => {
  const [, kind, id = ''] = request.url.split('/').map(decodeURIComponent)
  const body = await buffer(request)
  if (id === '') return [404, {}]
  if (request.method === 'PUT' && kind === 'orders') return [200, await order(id, JSON.parse(body))]
  if (request.method === 'GET' && kind === 'orders') return readOrder(id) ? [200, readOrder(id)] : [404, {}]
  if (request.method !== 'POST' || kind !== 'payment_callback') return [404, {}]
  let callback
  try {
    callback = verifyCallback(SIGNING_SECRET, request.headers, body)
  } catch (error) {
    return [401, { error: error.message }]
  }
  handle(id, callback)
  return [200, {}]
}

const server = createServer((request, response) => {
  answer(request).then(
    ([status, body]) => response.writeHead(status).end(JSON.stringify(body)),
    // But for what was refused the first time, the order stays as it is: PUT it again.
    (error) =>
      response.writeHead(error.status === 400 ? 400 : 502).end(JSON.stringify({ error: error.message })),
  )
})
server.listen(Number(PORT), '127.0.0.1')
