import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
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

/**
 * A port of 127.0.0.1 for a process that is killed and started again. No other test is given it while this process runs,
 * for its port of UDP is taken as long: nothing listens at the other while its process is down.
 */
export const lastingPort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1)
    if ((await getPort({ host: '127.0.0.1', port })) === port && (await reserve(port))) return port
  }
}

/** Takes the port of UDP of this number until this process ends; false: another has it. */
const reserve = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4').unref()
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind({ address: '127.0.0.1', port, exclusive: true }, () => resolve(true))
  })
