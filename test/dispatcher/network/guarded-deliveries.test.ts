import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS } from '../../../src/dispatcher/deliver/post.ts'
import { createAddressGuard } from '../../../src/dispatcher/network/guard-address.ts'
import { createResolver } from '../../../src/dispatcher/network/resolve-host.ts'
import { selfSign } from '../../support/certificates.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { addDelivery, readAttempts, readDelivery } from '../../support/deliveries.ts'
import { type Harness, startHarness } from '../../support/dispatcher.ts'
import { type DnsServer, startDnsServer } from '../../support/dns-server.ts'
import { eventually } from '../../support/eventually.ts'
import { createPosterHarness, type PosterHarness } from '../../support/poster.ts'
import { answerWith } from '../../support/receiver.ts'

let testDatabase: TestDatabase
let test: Harness
let endpoints: PosterHarness
let nameServer: DnsServer

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  test = await startHarness(testDatabase.url)
  endpoints = createPosterHarness()
  nameServer = await startDnsServer()
})
afterEach(async () => {
  await test.stop()
  await endpoints.stop()
  await nameServer.close()
})

const HERE = '127.0.0.1'
const HOUR_MS = 3_600_000

/** A dispatcher that asks the test's name server, and takes this machine's address for a public one. */
const dispatch = ({ scheduleMs = [0, HOUR_MS], limits = POST_LIMITS } = {}) =>
  test.dispatch({
    scheduleMs,
    limits,
    guard: createAddressGuard({
      allowPrivateNetworks: false,
      resolve: createResolver({ allowPrivateNetworks: false, nameServers: [nameServer.address] }),
      ownAddresses: () => new Set(),
      isPublic: (address) => address === HERE,
    }),
  })

const urlOf = (host: string): string => `http://${host}:${test.receiver.port}/`

const firstAttempt = (id: bigint) =>
  eventually(async () => {
    const [attempt] = await readAttempts(test.database, id)
    expect(attempt?.finished_at).toBeTruthy()
    return attempt
  })

describe('an attempt', () => {
  it('that fails is written down with the stage that failed, and the delivery stays pending', async () => {
    const tlsPort = await endpoints.tlsServer(await selfSign({ hosts: ['shop.co.ke'] }))
    const silent = await endpoints.rawServer((socket) => socket.resume())
    nameServer.answer('*', [HERE])
    nameServer.answer('inside.co.ke', ['10.0.0.7'])
    nameServer.answer('dead.co.ke', 'SERVFAIL')
    test.receiver.behave((received, response) => {
      if (received.path === '/moved')
        answerWith(302, '', { location: 'http://10.0.0.7/' })(received, response)
      else if (received.path === '/much') answerWith(200, 'x'.repeat(100_000))(received, response)
      else response.destroy()
    })
    dispatch({ limits: { ...POST_LIMITS, headersMs: 1_000, totalMs: 1_500 } })
    const expected: Record<string, string> = {
      [urlOf('inside.co.ke')]: 'blocked',
      [urlOf('10.0.0.7')]: 'blocked',
      [urlOf('dead.co.ke')]: 'dns',
      [`https://shop.co.ke:${tlsPort}/`]: 'tls',
      [`http://${silent}/`]: 'timeout',
      [`${urlOf('shop.co.ke')}moved`]: 'redirect',
      [`${urlOf('shop.co.ke')}much`]: 'too_large',
      [`${urlOf('shop.co.ke')}cut`]: 'reset',
    }
    const seen: Record<string, unknown> = {}
    for (const url of Object.keys(expected)) {
      const id = await addDelivery(test.database, url)
      seen[url] = (await firstAttempt(id))?.error_class
      await eventually(async () =>
        expect(await readDelivery(test.database, id)).toMatchObject({ state: 'pending', attempts: 1 }),
      )
    }
    expect(seen).toEqual(expected)
  })

  it('finds the name as it is then: where it led when the payment was taken is not asked', async () => {
    nameServer.answer('shop.co.ke', [HERE], ['10.0.0.7'])
    test.receiver.behave(answerWith(500, '', { connection: 'close' }))
    dispatch({ scheduleMs: [0, 10, HOUR_MS] })
    const id = await addDelivery(test.database, urlOf('shop.co.ke'))
    const classes = await eventually(async () => {
      const attempts = await readAttempts(test.database, id)
      expect(attempts.filter((attempt) => attempt.finished_at !== null)).toHaveLength(2)
      return attempts.map((attempt) => attempt.error_class)
    })
    expect(classes).toEqual(['status', 'blocked'])
    expect(test.receiver.received).toHaveLength(1)
  })
})

describe('a name server that is dead for one partner', () => {
  it('delays no other: theirs arrive before the first attempt has failed for it', async () => {
    nameServer.answer('shop.co.ke', [HERE])
    dispatch()
    // More than `getaddrinfo` has threads, each a name of its own.
    const dead: bigint[] = []
    for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) {
      nameServer.answer(`dead-${number}.co.ke`, 'silence')
      dead.push(await addDelivery(test.database, urlOf(`dead-${number}.co.ke`), BigInt(number)))
    }
    // A and AAAA of each; a query that is not answered is sent again.
    const deadQueries = (): Set<string> => new Set(nameServer.queries.filter((query) => /dead/.test(query)))
    await eventually(() => expect(deadQueries().size).toBe(16))
    const alive: bigint[] = []
    for (const number of [11, 12, 13, 14])
      alive.push(await addDelivery(test.database, urlOf('shop.co.ke'), BigInt(number)))
    const endOf = async (id: bigint): Promise<number> => (await firstAttempt(id))?.finished_at?.getTime() ?? 0
    const aliveEnds = await Promise.all(alive.map(endOf))
    const deadEnds = await Promise.all(dead.map(endOf))
    expect(Math.max(...aliveEnds)).toBeLessThan(Math.min(...deadEnds))
    for (const id of dead) expect((await firstAttempt(id))?.error_class).toBe('dns')
    expect(test.receiver.received).toHaveLength(alive.length)
  })
})

describe('an answer that asks for time', () => {
  const pauseSeconds = async (id: bigint): Promise<number> => {
    const attempt = await firstAttempt(id)
    const delivery = await readDelivery(test.database, id)
    return ((delivery.next_attempt_at?.getTime() ?? 0) - (attempt?.finished_at?.getTime() ?? 0)) / 1000
  }

  it.each([
    ['in seconds', () => '7200', 7200],
    ['less than the schedule', () => '1', 3600],
    ['as a date', () => new Date(Date.now() + 2 * HOUR_MS).toUTCString(), 7200],
    ['as a date that has passed', () => new Date(Date.now() - HOUR_MS).toUTCString(), 3600],
    ['in words', () => 'tomorrow', 3600],
    ['for years', () => '999999999', 86_400],
  ])('%s is given what it asks, and never less than the schedule', async (_how, header, expected) => {
    nameServer.answer('shop.co.ke', [HERE])
    test.receiver.behave(answerWith(503, '', { 'retry-after': header() }))
    dispatch()
    const pause = await pauseSeconds(await addDelivery(test.database, urlOf('shop.co.ke')))
    // A date has whole seconds, and the answer takes its time.
    expect(pause).toBeGreaterThan(expected - 20)
    expect(pause).toBeLessThanOrEqual(expected)
  })
})
