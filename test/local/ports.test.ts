import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chooseAddresses, freePort, isPortFree, urlOf } from '../../src/local/ports.ts'
import { BadSettings } from '../../src/runtime/config.ts'

let listener: Server
let taken: number

beforeEach(async () => {
  listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  taken = address.port
})
afterEach(() => listener.close())

describe('a free port', () => {
  it('is the preferred one when nobody has it, else another', async () => {
    const preferred = await freePort()
    expect(await freePort({ preferred })).toBe(preferred)
    expect(await freePort({ preferred, taken: new Set([preferred]) })).not.toBe(preferred)
    expect(await freePort({ preferred: taken })).not.toBe(taken)
    expect(await isPortFree({ host: '127.0.0.1', port: taken })).toBe(false)
  })
})

describe('the addresses of npm start', () => {
  it('are those that the settings name, and all different', async () => {
    const port = await freePort()
    const addresses = await chooseAddresses({ HTTP_PORT: String(port), GRPC_PORT: '0', OPS_HOST: '0.0.0.0' })
    expect(addresses.http).toEqual({ host: '127.0.0.1', port })
    expect(addresses.ops.host).toBe('0.0.0.0')
    expect(new Set(Object.values(addresses).map((address) => address.port)).size).toBe(7)
  })

  it('cannot be on a named port that somebody has', async () => {
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
