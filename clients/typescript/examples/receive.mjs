// Receives outcomes at your callback_url: SIGNING_SECRET=whsec_… node receive.mjs
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { verifyCallback } from '@mpesa-gateway/client'

const { SIGNING_SECRET, PORT = '8091' } = process.env

/** In a shop this is a table: it must outlive the process. */
const handled = new Set()

const server = createServer(async (request, response) => {
  const body = await buffer(request)
  let callback
  try {
    callback = verifyCallback(SIGNING_SECRET, request.headers, body)
  } catch (error) {
    response.writeHead(401).end(`${error.message}\n`)
    return
  }
  const { webhookId, test, outcome } = callback
  const news = handled.has(webhookId) ? 'again' : (test ?? 'new')
  handled.add(webhookId)
  console.log(`${news}: transaction ${outcome.transaction_id} is ${outcome.status}, ${outcome.amount} KES`)
  response.end('thanks\n')
})
server.listen(Number(PORT), '127.0.0.1')
