import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import {
  CONNECTION_LIMITS,
  type CutReason,
  guardConnections,
  serverTimes,
} from '../../src/runtime/connection-guard.ts'
import { eventually } from '../support/eventually.ts'

let server: Server
let nowMs: number
/** How often the guard looked at the clock. */
let looks: number
let cuts: CutReason[]
afterEach(() => server.close())

/** Opens a server that answers without end, and somebody who asks it and reads nothing yet. */
const openEndless = async (): Promise<Socket> => {
  nowMs = 0
  looks = 0
  cuts = []
  server = createServer((_request, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(64 * 1024))) continue
    }
    response.on('drain', more)
    more()
  })
  const limits = { ...CONNECTION_LIMITS, requestTimeoutMs: 1_000, checkEveryMs: 10 }
  const look = (): number => {
    looks += 1
    return nowMs
  }
  guardConnections(server, { limits, nowMs: look, onCut: (reason) => cuts.push(reason) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  return socket
}

it('a request may take less time than its headers by themselves, which then have as much', () => {
  server = createServer(serverTimes({ ...CONNECTION_LIMITS, requestTimeoutMs: 5_000 }))
  expect([server.headersTimeout, server.requestTimeout]).toEqual([5_000, 5_000])
})

it('a client that does not read its answer is cut', async () => {
  const socket = await openEndless()
  await eventually(() => {
    nowMs += 300
    expect(cuts).toEqual(['reader'])
  })
  socket.destroy()
})

it('a client that reads a long answer slowly is not, for as long as what waited is taken', async () => {
  const socket = await openEndless()
  for (let round = 0; round < 10; round += 1) {
    const [looksBefore, bytesBefore] = [looks, socket.bytesRead]
    await eventually(() => expect(looks).toBeGreaterThan(looksBefore + 1))
    nowMs += 600
    socket.resume()
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(bytesBefore + 16 * 1024 ** 2))
    socket.pause()
    expect(cuts).toEqual([])
  }
  socket.destroy()
})
