import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS } from '../../../src/dispatcher/deliver/post.ts'
import { inTurns } from '../../../src/dispatcher/network/dial.ts'
import type { Address } from '../../../src/dispatcher/network/resolve-host.ts'
import { createAuthority } from '../../support/certificates.ts'
import { CAN_BE_DEAF, type DeafListener, startDeafListener } from '../../support/deaf-listener.ts'
import { createPosterHarness, type PosterHarness } from '../../support/poster.ts'
import { startReceiver } from '../../support/receiver.ts'

const IPV4: Address = { address: '127.0.0.1', family: 4 }
const IPV6: Address = { address: '::1', family: 6 }
const HOST = 'shop.co.ke'

let test: PosterHarness
beforeEach(() => {
  test = createPosterHarness()
})
afterEach(() => test.stop())

const leadsTo = (...addresses: Address[]) => ({ resolve: async () => addresses })

describe.skipIf(!CAN_BE_DEAF)(
  'a handshake whose first packet was lost (only Linux loses one when told to)',
  () => {
    let deaf: DeafListener
    beforeEach(async () => {
      deaf = await startDeafListener()
    })
    afterEach(() => deaf.close())

    it.each([
      ['has no route', IPV6],
      ['is another of its family, where nobody listens', { address: '127.0.0.9', family: 4 } as const],
    ])('is waited for when the other address %s', async (_how, other) => {
      const posted = test.post(`http://${HOST}:${deaf.port}/`, leadsTo(IPV4, other))
      await deaf.isMissed()
      deaf.hear()
      expect(await posted).toMatchObject({ status: 200, answer: 'heard', address: IPV4.address })
    })

    it('costs nothing when another address answers', async () => {
      const receiver = await startReceiver({ host: IPV6.address, port: deaf.port })
      try {
        const result = await test.post(`http://${HOST}:${deaf.port}/`, leadsTo(IPV4, IPV6))
        expect(result).toMatchObject({ status: 200, answer: 'ok', address: IPV6.address })
        expect(receiver.received).toHaveLength(1)
      } finally {
        await receiver.close()
      }
    })

    it('that is never made up for ends with the limit of a connection', async () => {
      const limits = { ...POST_LIMITS, connectMs: 300 }
      const result = await test.post(`http://${HOST}:${deaf.port}/`, { ...leadsTo(IPV4), limits })
      expect(result).toMatchObject({ status: null, errorClass: 'timeout', address: null })
    })
  },
)

describe('the addresses of one name', () => {
  it('are tried in turns of the families, each in its own order', () => {
    const [a, b, c] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(
      (address) => ({ address, family: 4 }) as const,
    )
    const [x, y] = ['2001:db8::1', '2001:db8::2'].map((address) => ({ address, family: 6 }) as const)
    const all = [a, b, c, x, y].filter((one) => one !== undefined)
    expect(inTurns(all)).toEqual([a, x, b, y, c])
    expect(inTurns(all.toReversed())).toEqual([y, c, x, b, a])
    expect(inTurns([])).toEqual([])
  })

  it('are tried eight at most, however many a zone names', async () => {
    const gone = await startReceiver()
    await gone.close()
    const addresses = Array.from(
      { length: 200 },
      (_one, last) => ({ address: `127.0.0.${last + 2}`, family: 4 }) as const,
    )
    let dialled = 0
    const onSocket = (): void => {
      dialled += 1
    }
    subscribe('net.client.socket', onSocket)
    const result = await test.post(`http://${HOST}:${gone.port}/`, leadsTo(...addresses))
    unsubscribe('net.client.socket', onSocket)
    expect(result).toMatchObject({ status: null, errorClass: 'refused', address: '127.0.0.2' })
    expect(dialled).toBe(8)
  })

  it('are judged when they are found, and each again when it is connected to', async () => {
    const { port, received } = await test.receiver()
    const judged: string[] = []
    const isPublic = (address: string): boolean => {
      judged.push(address)
      return judged.length <= 2
    }
    const result = await test.post(`http://${HOST}:${port}/`, { ...leadsTo(IPV4, IPV6), isPublic })
    expect(result).toMatchObject({ status: null, errorClass: 'blocked', address: null })
    expect(judged).toEqual(['127.0.0.1', '::1', '127.0.0.1', '::1'])
    expect(received).toEqual([])
  })
})

describe('TLS', () => {
  it('is agreed on with the address that answered, and reports which', async () => {
    const authority = await createAuthority()
    const port = await test.tlsServer(await authority.issue({ hosts: [HOST] }))
    const given = { ...leadsTo(IPV6, IPV4), authorities: [authority.cert] }
    expect(await test.post(`https://${HOST}:${port}/`, given)).toMatchObject({
      status: 200,
      address: IPV4.address,
    })
  })

  it('hides nothing of how much has come: an answer that never ends is given up', async () => {
    const authority = await createAuthority()
    const port = await test.tlsServer(await authority.issue({ hosts: [HOST] }), (socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(256)));
      }
      socket.on('drain', more).resume()
      more()
    })
    const given = { ...leadsTo(IPV4), authorities: [authority.cert] }
    expect(await test.post(`https://${HOST}:${port}/`, given)).toMatchObject({ errorClass: 'too_large' })
  })

  it('that is never agreed on ends with the limit of a connection, and the connection with it', async () => {
    const closed = Promise.withResolvers<void>()
    const host = await test.rawServer((socket) => socket.resume().on('close', () => closed.resolve()))
    const limits = { ...POST_LIMITS, connectMs: 300 }
    expect(await test.post(`https://${host}/`, { limits })).toMatchObject({
      status: null,
      errorClass: 'timeout',
    })
    await closed.promise
  })
})
