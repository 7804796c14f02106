import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeCallbacks } from '../../../src/core/callback/receive.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { received } from './received.ts'

/** What Postgres says of a row without a partition, and the same in as many bytes of German. */
const ENGLISH = 'no partition of relation'
const GERMAN = 'keine Partition fuer Tab'

describe('a Postgres that speaks another language', () => {
  let own: TestDatabase
  let database: Database
  const sockets = new Set<Socket>()
  let translations = 0
  // The locales of a machine are not ours to choose, so a relay translates.
  const relay = createServer((near) => {
    const far = connect(Number(new URL(own.url).port || 5432), '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.pipe(far)
    far.on('data', (bytes: Buffer) => {
      const said = bytes.toString('latin1')
      translations += said.split(ENGLISH).length - 1
      near.write(Buffer.from(said.replaceAll(ENGLISH, GERMAN), 'latin1'))
    })
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })

  beforeAll(async () => {
    own = await createTestDatabase()
    relay.listen(0, '127.0.0.1')
    await once(relay, 'listening')
    const url = new URL(own.url)
    Object.assign(url, { hostname: '127.0.0.1', port: String((relay.address() as AddressInfo).port) })
    database = connectDatabase({ databaseUrl: url.href, poolSize: 2, log: quietLog })
  })
  afterAll(async () => {
    await database.destroy()
    relay.close()
    for (const socket of sockets) socket.destroy()
    await own.drop()
  })

  it('is understood when it misses the partition of a month of long ago', async () => {
    const callback = received({ received_at: new Date('2001-02-03T04:05:06Z') })
    expect(await storeCallbacks(database, [callback])).toEqual(['stored'])
    const stored = await database.selectFrom('callbacks').select('received_at').execute()
    expect(stored).toEqual([{ received_at: callback.received_at }])
    expect(translations).toBe(1)
  })
})
