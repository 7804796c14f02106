import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS } from '../../../src/dispatcher/deliver/post.ts'
import { RESOLVE_WAITS } from '../../../src/dispatcher/network/resolve-host.ts'
import { type DnsAnswer, type DnsServer, startDnsServer } from '../../support/dns-server.ts'
import { createPosterHarness, type PosterHarness, type PosterOptions } from '../../support/poster.ts'
import type { Receiver } from '../../support/receiver.ts'

const PRIVATE = '10.0.0.7'
const PRIVATE_V6 = 'fd00::7'
/** This machine, which is public in these tests. */
const HERE = '127.0.0.1'
const isPublic = (address: string): boolean => address === HERE
const HOST = 'shop.co.ke'

let test: PosterHarness
let receiver: Receiver

beforeEach(async () => {
  test = createPosterHarness()
  receiver = await test.receiver()
})
afterEach(() => test.stop())

const servers = (count: number): Promise<DnsServer[]> =>
  Promise.all(Array.from({ length: count }, () => test.nameServer()))

const post = (nameServers: readonly DnsServer[], given: PosterOptions = {}) =>
  test.post(`http://${HOST}:${receiver.port}/`, { nameServers, isPublic, ...given })

/** Whoever waits for each answer as long as any may take runs into the limits of an attempt. */
const PATIENT: PosterOptions = {
  waits: { ...RESOLVE_WAITS, wholeMs: 60_000 },
  limits: { ...POST_LIMITS, connectMs: 10_000 },
}

const delivered = { status: 200, errorClass: null, address: HERE }
const nothingHappened = { status: null, errorClass: 'blocked', address: null }

/** All of them say the same. */
const say = (nameServers: readonly DnsServer[], answers: { A: DnsAnswer; AAAA: DnsAnswer }): void => {
  for (const nameServer of nameServers) {
    nameServer.answerOf('A', HOST, answers.A)
    nameServer.answerOf('AAAA', HOST, answers.AAAA)
  }
}

describe.each([1, 2, 3])('of %d name servers', (count) => {
  it('that answer A and drop AAAA: what A says is delivered to, each time', async () => {
    const nameServers = await servers(count)
    say(nameServers, { A: [HERE], AAAA: 'silence' })
    for (let time = 0; time < 3; time += 1) expect(await post(nameServers, PATIENT)).toMatchObject(delivered)
    expect(receiver.received).toHaveLength(3)
  })

  it.each<[string, { A: DnsAnswer; AAAA: DnsAnswer }]>([
    ['that drop A, and say that AAAA is private', { A: 'silence', AAAA: [PRIVATE_V6] }],
    ['that drop AAAA, and say that A is private', { A: [PRIVATE], AAAA: 'silence' }],
    ['that fail for A, and say that AAAA is private', { A: 'SERVFAIL', AAAA: [PRIVATE_V6] }],
    ['that say that A is public and AAAA private', { A: [HERE], AAAA: [PRIVATE_V6] }],
    ['that say that A is both, and drop AAAA', { A: [HERE, PRIVATE], AAAA: 'silence' }],
  ])('%s: nothing is connected to', async (_how, answers) => {
    const nameServers = await servers(count)
    say(nameServers, answers)
    expect(await post(nameServers)).toMatchObject(nothingHappened)
    expect(receiver.received).toEqual([])
  })

  it('that answer nothing: no address, by a failure of dns', async () => {
    const nameServers = await servers(count)
    say(nameServers, { A: 'silence', AAAA: 'silence' })
    expect(await post(nameServers)).toMatchObject({ status: null, errorClass: 'dns', address: null })
  })
})

describe('a query or its answer that is lost', () => {
  it.each([1, 2])('is asked again, of %d', async (count) => {
    const nameServers = await servers(count)
    for (const nameServer of nameServers) nameServer.answer(HOST, 'silence', [HERE])
    expect(await post(nameServers)).toMatchObject(delivered)
  })
})

describe('a name server', () => {
  it.each<DnsAnswer>(['silence', 'SERVFAIL', 'REFUSED', 'truncated', 'garbage'])(
    'that gives %j is made up for by the next, and by the one after that',
    async (bad) => {
      const nameServers = await servers(3)
      const [first, second, third] = nameServers
      first?.answer(HOST, bad)
      second?.answer(HOST, bad)
      third?.answer(HOST, [HERE])
      expect(await post(nameServers)).toMatchObject(delivered)
    },
  )

  it('that is not there is made up for by the next', async () => {
    const gone = await startDnsServer()
    await gone.close()
    const there = await test.nameServer()
    there.answer(HOST, [HERE])
    expect(await post([gone, there])).toMatchObject(delivered)
  })

  it('that says that there is no such name is believed, and nobody else asked', async () => {
    const [first, second] = await servers(2)
    if (first === undefined || second === undefined) throw new Error('no servers')
    first.answer(HOST, 'NXDOMAIN')
    second.answer(HOST, [HERE])
    expect(await post([first, second])).toMatchObject({ errorClass: 'dns', address: null })
    expect(second.queries).toEqual([])
  })

  it('that takes a second for each answer is waited for, however fast it was before', async () => {
    const nameServer = await test.nameServer()
    nameServer.answer(HOST, [HERE])
    const poster = test.poster({
      nameServers: [nameServer],
      isPublic,
      limits: { ...POST_LIMITS, connectMs: 20_000 },
    })
    const request = { url: `http://${HOST}:${receiver.port}/`, headers: {}, body: '{}' }
    receiver.behave((_received, response) => response.writeHead(200, { connection: 'close' }).end())
    for (let time = 0; time < 6; time += 1) expect(await poster.post(request)).toMatchObject(delivered)
    nameServer.answerAfter(1_000)
    for (let time = 0; time < 2; time += 1) expect(await poster.post(request)).toMatchObject(delivered)
  })
})
