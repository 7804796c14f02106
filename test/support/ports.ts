import { randomInt } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import getPort from 'get-port'

/** A port that is free now; the caller listens on it soon. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** Below the ports that systems hand out: nobody else is given one of these while whoever listens there is down. */
const FIRST = 20_000
const LAST = 29_999

/** A port of 127.0.0.1 for a process that is killed and started again. */
export const lastingPort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1)
    if ((await getPort({ host: '127.0.0.1', port })) === port) return port
  }
}
