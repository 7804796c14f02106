import { createServer, type IncomingMessage } from 'node:http'
import type { TestCore } from './core.ts'

export type CallbackReceiver = {
  /** Callbacks that come from now on wait, until what it returns is called. */
  hold(): () => void
  close(): Promise<void>
}

/** The least that Daraja needs to call back: for tests of the core that want no facade before it. */
export const openCallbackReceiver = async (test: TestCore): Promise<CallbackReceiver> => {
  let held: Promise<void> = Promise.resolve()
  const receive = async (request: IncomingMessage): Promise<void> => {
    const chunks = await request.toArray()
    await held
    const url = new URL(request.url ?? '', 'http://localhost')
    await test.clients.darajaCallbacks.receiveStkCallback({
      token: url.pathname.split('/').at(-1) ?? '',
      nonce: url.searchParams.get('nonce') ?? '',
      body: Buffer.concat(chunks as Buffer[]),
      headers: Object.entries(request.headers).map(([name, value]) => ({ name, value: String(value) })),
      sourceAddress: '127.0.0.1',
    })
  }
  const server = createServer((request, response) => {
    receive(request).then(
      () => response.end('{"ResultCode":0,"ResultDesc":"Success"}'),
      () => response.writeHead(503).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(test.httpPort, '127.0.0.1', resolve))
  return {
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
