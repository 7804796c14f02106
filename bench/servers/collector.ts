import { createServer } from 'node:http'

// A collector of OpenTelemetry that costs as little as can be: takes what it is sent over OTLP, and does nothing with it.
// Asked by a line of whatever, it answers with how many requests came.

let requests = 0

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    requests += 1
    // Nothing is an answer too: that all spans were taken.
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
})

process.stdin.on('data', () => process.stdout.write(`${JSON.stringify({ requests })}\n`))

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}` })}\n`)
})
