import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chooseAddresses, urlOf } from '../../src/local/environments.ts'
import { BadSettings } from '../../src/runtime/config.ts'
import { freePort } from '../support/ports.ts'

/** Listens on the port of 127.0.0.1 (0: any) until the test ends; where another process has it, it is taken all the same. */
const occupy = async (port: number): Promise<number> => {
  const listener = createServer().listen(port, '127.0.0.1')
  onTestFinished(() => void listener.close())
  await once(listener, 'listening').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
  })
  const taken = listener.address()
  return taken !== null && typeof taken === 'object' ? taken.port : port
}

describe('the addresses of npm start', () => {
  // First: no port of this process's own choice is in the way.
  it('are on another port than the usual one where somebody has that', async () => {
    await occupy(8091)
    const { receiver } = await chooseAddresses({})
    expect(receiver.port).not.toBe(8091)
    expect(receiver.port).toBeGreaterThan(0)
  })

  it('are those that the settings name, and all different', async () => {
    const port = await freePort()
    const addresses = await chooseAddresses({ HTTP_PORT: String(port), GRPC_PORT: '0', OPS_HOST: '0.0.0.0' })
    expect(addresses.http).toEqual({ host: '127.0.0.1', port })
    expect(addresses.ops.host).toBe('0.0.0.0')
    expect(new Set(Object.values(addresses).map((address) => address.port)).size).toBe(9)
  })

  it('cannot be on a named port that somebody has', async () => {
    const taken = await occupy(0)
    await expect(chooseAddresses({ CONNECT_PORT: String(taken) })).rejects.toThrow(
      `CONNECT_PORT is ${taken}, but another process listens there`,
    )
  })

  it('are refused with the name of a wrong setting', async () => {
    await expect(chooseAddresses({ HTTP_PORT: '99999' })).rejects.toThrow(BadSettings)
  })

  it.each([
    [{ host: '127.0.0.1', port: 1 }, 'http://127.0.0.1:1'],
    [{ host: '0.0.0.0', port: 2 }, 'http://127.0.0.1:2'],
    [{ host: '::', port: 3 }, 'http://127.0.0.1:3'],
    [{ host: '::1', port: 4 }, 'http://[::1]:4'],
  ])('%j is reached at %s', (address, url) => {
    expect(urlOf(address)).toBe(url)
  })
})
