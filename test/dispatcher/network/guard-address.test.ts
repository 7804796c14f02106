import { describe, expect, it, vi } from 'vitest'
import { createAddressGuard, createOwnAddresses } from '../../../src/dispatcher/network/guard-address.ts'
import { type Address, createResolver } from '../../../src/dispatcher/network/resolve-host.ts'

const guardOf = (given: { addresses?: string[]; allowPrivateNetworks?: boolean; own?: string[] }) =>
  createAddressGuard({
    allowPrivateNetworks: given.allowPrivateNetworks ?? false,
    resolve: async () =>
      (given.addresses ?? []).map((address): Address => ({ address, family: address.includes(':') ? 6 : 4 })),
    ownAddresses: () => new Set(given.own),
  })

const find = (guard: ReturnType<typeof guardOf>): Promise<Address[]> => guard.find('shop.example')

describe('a name', () => {
  it('leads to all its addresses when all are public', async () => {
    const guard = guardOf({ addresses: ['203.0.114.1', '2a00:1450::1'] })
    expect(await find(guard)).toEqual([
      { address: '203.0.114.1', family: 4 },
      { address: '2a00:1450::1', family: 6 },
    ])
  })

  it.each(['127.0.0.1', '10.0.0.1', '169.254.169.254', '192.168.1.1', '::1', '::ffff:10.0.0.1', 'fd00::1'])(
    'is refused when it leads to %s',
    async (address) => {
      await expect(find(guardOf({ addresses: [address] }))).rejects.toMatchObject({
        name: 'BlockedAddress',
      })
    },
  )

  it('leads to public IPv4 also through the NAT64 of its network, where name servers add such an address', async () => {
    const guard = guardOf({ addresses: ['203.0.114.1', '64:ff9b::cb00:7201'] })
    expect(await find(guard)).toEqual([
      { address: '203.0.114.1', family: 4 },
      { address: '64:ff9b::cb00:7201', family: 6 },
    ])
  })

  it.each([
    '64:ff9b::a00:1',
    '64:ff9b::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::c000:201',
    '64:ff9b::a83f:8110',
  ])('is refused when it leads by NAT64 to what is not public, %s', async (address) => {
    await expect(find(guardOf({ addresses: [address] }))).rejects.toMatchObject({ name: 'BlockedAddress' })
  })

  it.each(['64:ff9b:1::cb00:7201', '64:ff9b:0:0:0:1:cb00:7201', '64:ff9c::cb00:7201'])(
    'is refused when it leads to %s, which is no address that every NAT64 has',
    async (address) => {
      await expect(find(guardOf({ addresses: [address] }))).rejects.toMatchObject({ name: 'BlockedAddress' })
    },
  )

  it('is refused when it leads to this machine by NAT64', async () => {
    const guard = guardOf({ addresses: ['64:ff9b::cb00:7201'], own: ['203.0.114.1'] })
    await expect(find(guard)).rejects.toMatchObject({ name: 'BlockedAddress' })
  })

  it('is refused when one of several addresses is not public', async () => {
    const guard = guardOf({ addresses: ['203.0.114.1', '10.0.0.1'] })
    await expect(find(guard)).rejects.toMatchObject({ name: 'BlockedAddress' })
  })

  it('is refused when it leads to this machine', async () => {
    const guard = guardOf({ addresses: ['203.0.114.1'], own: ['203.0.114.1'] })
    await expect(find(guard)).rejects.toMatchObject({ name: 'BlockedAddress' })
  })

  it('without addresses is not found', async () => {
    await expect(find(guardOf({ addresses: [] }))).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  it('may lead anywhere when private networks are allowed', async () => {
    const guard = guardOf({ addresses: ['127.0.0.1'], allowPrivateNetworks: true, own: ['127.0.0.1'] })
    expect(await find(guard)).toEqual([{ address: '127.0.0.1', family: 4 }])
  })
})

describe('an address', () => {
  it.each(['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '10.1.2.3', '168.63.129.16', '0.0.0.0'])(
    '%s is refused',
    (hostname) =>
      expect(() => guardOf({}).refuseLiteral(hostname)).toThrow(
        expect.objectContaining({ name: 'BlockedAddress' }),
      ),
  )
  it.each(['203.0.114.1', '[2a00:1450::1]', 'shop.co.ke'])('%s passes', (hostname) =>
    expect(() => guardOf({}).refuseLiteral(hostname)).not.toThrow(),
  )
  it('of this machine is refused', () =>
    expect(() => guardOf({ own: ['203.0.114.1'] }).refuseLiteral('203.0.114.1')).toThrow())
  it('passes when private networks are allowed', () =>
    expect(() => guardOf({ allowPrivateNetworks: true }).refuseLiteral('127.0.0.1')).not.toThrow())
  it('of this machine is known', () =>
    expect(createOwnAddresses(() => performance.now())()).toContain('127.0.0.1'))
  it('passes without a look at this machine when private networks are allowed', async () => {
    const ownAddresses = vi.fn(() => new Set<string>())
    const guard = createAddressGuard({
      allowPrivateNetworks: true,
      resolve: async () => [{ address: '203.0.114.1', family: 4 }],
      ownAddresses,
    })
    guard.refuseLiteral('203.0.114.1')
    guard.refuse('203.0.114.1')
    await guard.find('shop.example')
    expect(ownAddresses).not.toHaveBeenCalled()
  })
})

describe('this machine', () => {
  it('is looked at once a second, however many addresses a zone names', async () => {
    let atMs = 0
    const look = vi.fn(() => ({}))
    const addresses = Array.from(
      { length: 4_000 },
      (_one, index): Address => ({ address: `203.0.${114 + (index >> 8)}.${index & 255}`, family: 4 }),
    )
    const guard = createAddressGuard({
      allowPrivateNetworks: false,
      resolve: async () => addresses,
      ownAddresses: createOwnAddresses(() => atMs, look),
    })
    expect(await find(guard)).toHaveLength(4_000)
    guard.refuseLiteral('203.0.114.1')
    expect(look).toHaveBeenCalledTimes(1)
    atMs = 1_000
    guard.refuse('203.0.114.1')
    expect(look).toHaveBeenCalledTimes(2)
  })

  it('is looked at again by whoever comes after a look that failed: nothing passes unseen', () => {
    const look = vi.fn(() => ({}))
    look.mockImplementationOnce(() => {
      throw new Error('no addresses for you')
    })
    const ownAddresses = createOwnAddresses(() => 0, look)
    expect(ownAddresses).toThrow('no addresses for you')
    expect(ownAddresses()).toEqual(new Set())
    expect(look).toHaveBeenCalledTimes(2)
  })
})

describe('the resolver', () => {
  it('knows localhost when private networks are allowed', async () => {
    const resolve = createResolver({ allowPrivateNetworks: true, nameServers: null })
    expect(await resolve('localhost')).toContainEqual({ address: '127.0.0.1', family: 4 })
    expect(await resolve('shop.localhost')).toContainEqual({ address: '127.0.0.1', family: 4 })
  })
})
