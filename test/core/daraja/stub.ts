import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Starts a server that answers every request with the same bytes. */
export const startStub = async (answer: string): Promise<{ url: string; close(): Promise<void> }> => {
  const server = createServer((_request, response) => response.end(answer))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, close }
}
