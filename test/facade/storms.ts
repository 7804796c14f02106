import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client that means no good: opens a connection to `port`, and resolves with all that came once it is closed. */
export type Pest = (port: number) => Promise<string>

const JSON_HEADERS = 'Host: x\r\nX-API-KEY: guess\r\nContent-Type: application/json\r\n'

/** Opens a connection; an error of it (it is cut, after all) is no error of ours. */
const open = async (port: number): Promise<{ socket: Socket; closed: Promise<string> }> => {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk: Buffer) => void (text += chunk.toString('latin1', 0, 1000)))
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  await Promise.race([once(socket, 'connect'), closed])
  return { socket, closed }
}

/** Sends `text`, and then `drop` again and again for as long as the connection is there. */
const dripping =
  (text: string, drop: string): Pest =>
  async (port) => {
    const { socket, closed } = await open(port)
    socket.write(text)
    const timer = setInterval(() => socket.writable && socket.write(drop), 50)
    return closed.finally(() => clearInterval(timer))
  }

const sending =
  (text: string): Pest =>
  async (port) => {
    const { socket, closed } = await open(port)
    socket.write(text)
    return closed
  }

const BODY = 'x'.repeat(1_000_000)

/** What each does, and what it is told before it is cut. */
export const PESTS: Readonly<Record<string, { pest: Pest; expected: RegExp }>> = {
  'drips its headers': {
    pest: dripping('GET /healthz HTTP/1.1\r\nHost: x\r\n', 'A: b\r\n'),
    expected: /^HTTP\/1\.1 408 /,
  },
  'drips its body': {
    pest: dripping(`POST /callbacks/stk/x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n`, ' '),
    expected: /^HTTP\/1\.1 408 /,
  },
  'sends a body of 1 MB': {
    pest: sending(
      `POST /api/v1/mpesa/stk_push HTTP/1.1\r\n${JSON_HEADERS}Connection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    ),
    // What it is told can be lost with the rest of what it sends; on a loaded machine it may be too slow as well.
    expected: /^(?:HTTP\/1\.1 (?:413|408) |$)/,
  },
  'sends headers of 100 kB': {
    pest: sending(`GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(100_000)}\r\n\r\n`),
    expected: /^(?:HTTP\/1\.1 (?:431|408) |$)/,
  },
  'pipelines garbage': {
    pest: sending(`${'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50)}\u0000garbage\r\n\r\n`.repeat(3)),
    expected: /^HTTP\/1\.1 (?:200|408) /,
  },
}
