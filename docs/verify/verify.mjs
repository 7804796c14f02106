// An endpoint that takes outcomes from the gateway and believes only what is signed. Needs nothing but Node.
//
//   SIGNING_SECRET=whsec_… node verify.mjs
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

/** Attempts are made and signed anew, so an older signature is a replay, seconds. */
const TOLERANCE_SECONDS = 5 * 60

/** True when the gateway signed exactly this body, not long ago. `body`: the bytes as they came, before any JSON is parsed. */
export const isSigned = (secret, headers, body) => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (!id || !/^\d+$/.test(timestamp ?? '') || !signatures) return false
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  // While a secret is replaced there are two signatures; one that fits is enough.
  return signatures.split(' ').some((one) => {
    const [version, signature = ''] = one.split(',')
    const given = Buffer.from(signature, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}

const server = createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (!isSigned(process.env.SIGNING_SECRET, request.headers, body)) {
    response.writeHead(401).end('not signed by the gateway\n')
    return
  }
  const outcome = JSON.parse(body.toString('utf8'))
  // Store it under its webhook-id here, before the answer: the same one can come again.
  process.stdout.write(`transaction ${outcome.transaction_id} is ${outcome.status}\n`)
  response.end('thanks\n')
})
server.listen(Number(process.env.PORT ?? 8091), '127.0.0.1')
