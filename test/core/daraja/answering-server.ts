import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Somebody in Daraja's place who answers with given bytes, of whatever form; asked for a token, gives one. */
export type AnsweringServer = {
  url: string
  /** From now on. */
  answerWith(answer: Buffer): void
  /** How often it was asked for more than a token, since it was told what to answer. */
  asked(): number
  close(): Promise<void>
}

const TOKEN = '{"access_token":"token","expires_in":"3599"}'
const TOKEN_ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${TOKEN.length}\r\n\r\n${TOKEN}`)

export const startAnsweringServer = async (): Promise<AnsweringServer> => {
  let answer: Buffer = TOKEN_ANSWER
  let asked = 0
  const sockets = new Set<Socket>()

  const reply = (socket: Socket, path: string): void => {
    const isToken = path.startsWith('/oauth/')
    if (!isToken) asked += 1
    const bytes = isToken ? TOKEN_ANSWER : answer
    if (/^connection: close\r$/im.test(bytes.toString('latin1'))) socket.end(bytes)
    else socket.write(bytes)
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    let unread = ''
    socket.on('error', () => undefined)
    socket.on('data', (piece) => {
      unread += piece.toString('latin1')
      const request = takeRequest(unread)
      if (request === null) return
      unread = ''
      reply(socket, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answerWith: (bytes) => {
      answer = bytes
      asked = 0
    },
    asked: () => asked,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The path of a request that is there as a whole; null while it is not. */
const takeRequest = (text: string): string | null => {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return null
  const length = Number(/^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2))?.[1] ?? 0)
  return text.length >= end + 4 + length ? (text.split(' ')[1] ?? '') : null
}
