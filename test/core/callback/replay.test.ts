import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ReceivedCallback } from '../../../src/core/callback/callback.ts'
import {
  createDatabaseAvailability,
  createReceiver,
  type DatabaseAvailability,
  storeCallbacks,
} from '../../../src/core/callback/receive.ts'
import { startReplaying } from '../../../src/core/callback/replay.ts'
import type { Spool } from '../../../src/core/callback/spool.ts'
import { type Disk, systemDisk } from '../../../src/core/callback/spool-files.ts'
import { encodeRecord } from '../../../src/core/callback/spool-record.ts'
import type { Database } from '../../../src/database/connect.ts'
import type { Loop } from '../../../src/runtime/loop.ts'
import { openTestSpool } from '../../support/core.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { received } from './received.ts'

let own: OpenDatabase
let database: Database
let folder: string
let spool: Spool
let availability: DatabaseAvailability
let loop: Loop | null

beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
  spool = await openTestSpool(folder, { leftBehindMs: 0 })
  availability = createDatabaseAvailability({ log: quietLog, nowMs: () => performance.now() })
  availability.markUp()
  loop = null
})
afterEach(async () => {
  await loop?.stop()
  await spool.close()
  await rm(folder, { recursive: true, force: true })
})

const startLoop = (): void => {
  loop = startReplaying({ database, spool, availability, log: quietLog, onReceived: () => undefined })
}

/** Replays until nothing is left to be replayed. */
const replayAll = async (): Promise<void> => {
  if (loop === null) startLoop()
  await eventually(async () => expect((await spool.count()).callbacks).toBe(0))
}

const findRows = ({ id }: ReceivedCallback) =>
  database.selectFrom('callbacks').selectAll().where('id', '=', id).execute()

const findDuties = ({ id }: ReceivedCallback) =>
  database.selectFrom('to_interpret').selectAll().where('callback_id', '=', id).execute()

describe('replaying the spool', () => {
  it('stores a callback as it came, when it came, with the duty to interpret it', async () => {
    const callback = received({
      payment_id: 77n,
      nonce: '00c0ffee00c0ffee',
      received_at: new Date(Date.now() - 3_600_000),
      body: Buffer.from([0, 255, 10]),
      headers: [['X-Nul', 'a\u0000b\ud800']],
    })
    await spool.add(callback)
    await replayAll()
    expect(await findRows(callback)).toEqual([
      {
        id: callback.id,
        received_at: callback.received_at,
        payment_id: 77n,
        nonce: '00c0ffee00c0ffee',
        is_refused: false,
        source_address: callback.source_address,
        headers: [['X-Nul', 'a\ufffdb\ufffd']],
        body: Buffer.from([0, 255, 10]),
      },
    ])
    expect(await findDuties(callback)).toMatchObject([{ received_at: callback.received_at }])
    await eventually(async () => expect(await readdir(folder)).toEqual([]))
  })

  it('that was stored already, though nobody heard of it, changes nothing, also once it was interpreted', async () => {
    const callback = received({ payment_id: 78n })
    await storeCallbacks(database, [callback])
    await database.deleteFrom('to_interpret').where('callback_id', '=', callback.id).execute()
    await spool.add(callback)
    await replayAll()
    expect(await findRows(callback)).toHaveLength(1)
    expect(await findDuties(callback)).toEqual([])
  })

  it('again after a crash between the commit and the removal of the file changes nothing', async () => {
    const callbacks = [received({ payment_id: 79n }), received()]
    for (const name of ['one', 'the-same']) {
      await writeFile(join(folder, `${name}.open`), Buffer.concat(callbacks.map(encodeRecord)))
      await replayAll()
    }
    for (const callback of callbacks) expect(await findRows(callback)).toHaveLength(1)
    expect(await findDuties(callbacks[0] ?? received())).toHaveLength(1)
  })

  it('by two processes at once stores each once', async () => {
    const callbacks = Array.from({ length: 2_000 }, (_one, index) =>
      received({ payment_id: BigInt(index + 1000) }),
    )
    await Promise.all(callbacks.map((callback) => spool.add(callback)))
    const other = await openTestSpool(folder, { leftBehindMs: 0 })
    const parts = { database, availability, log: quietLog, onReceived: () => undefined }
    const loops = [startReplaying({ ...parts, spool }), startReplaying({ ...parts, spool: other })]
    await eventually(async () => expect((await spool.count()).callbacks).toBe(0))
    await Promise.all(loops.map((one) => one.stop()))
    const ids = callbacks.map(({ id }) => id)
    const stored = database.selectFrom('callbacks').select('id').where('id', 'in', ids)
    expect((await stored.execute()).map(({ id }) => id).sort()).toEqual(ids.toSorted())
  })

  it.each(['2019-02-28T23:59:59.999Z', '2071-12-31T20:00:00Z'])(
    'of %s, a month without a partition, makes the partition',
    async (at) => {
      const callback = received({ received_at: new Date(at) })
      await spool.add(callback)
      await replayAll()
      expect(await findRows(callback)).toMatchObject([{ received_at: new Date(at) }])
    },
  )

  it('gives a refused callback no duty', async () => {
    const callback = received({ payment_id: 80n, is_refused: true })
    await spool.add(callback)
    await replayAll()
    expect(await findRows(callback)).toMatchObject([{ is_refused: true, payment_id: 80n }])
    expect(await findDuties(callback)).toEqual([])
  })

  it('sets aside what Postgres refuses for what it holds, and stores the others', async () => {
    const bad = received({ payment_id: 2n ** 63n })
    const [before, after] = [received(), received()]
    for (const callback of [before, bad, after]) await spool.add(callback)
    await replayAll()
    expect([await findRows(before), await findRows(after)]).toMatchObject([[{}], [{}]])
    await eventually(async () => expect(await spool.count()).toEqual({ callbacks: 0, quarantined: 1 }))
  })

  it('waits, file and all, while Postgres refuses everything, and goes on by itself', async () => {
    await sql`ALTER TABLE to_interpret RENAME TO to_interpret_later`.execute(database)
    const callback = received({ payment_id: 81n })
    await spool.add(callback)
    availability.markDown(new Error('as if'))
    startLoop()
    await eventually(async () => expect(availability.isDown()).toBe(true))
    expect(await findRows(callback)).toEqual([])
    expect((await spool.count()).callbacks).toBe(1)
    await sql`ALTER TABLE to_interpret_later RENAME TO to_interpret`.execute(database)
    await replayAll()
    expect(availability.isDown()).toBe(false)
    expect(await findDuties(callback)).toHaveLength(1)
  })
})

describe('a file that the disk does not let be replayed', () => {
  /** One file each, the first the oldest; the first one's bytes as given. */
  const leave = async (callbacks: readonly ReceivedCallback[], first: Buffer): Promise<void> => {
    for (const [index, callback] of callbacks.entries())
      await writeFile(join(folder, `${index}.sealed`), index === 0 ? first : encodeRecord(callback))
  }
  const openOn = async (disk: Partial<Disk>): Promise<void> => {
    await spool.close()
    spool = await openTestSpool(folder, { leftBehindMs: 0, disk: { ...systemDisk, ...disk } })
  }
  const failure = (code: string) => Object.assign(new Error(`${code}: as if`), { code, syscall: 'read' })

  it('keeps none of the others waiting, and is replayed once it can be read', async () => {
    const [unreadable, ...others] = [received(), received(), received()]
    await leave([unreadable, ...others], encodeRecord(unreadable))
    let isBroken = true
    await openOn({
      readFile: (path) =>
        isBroken && path.endsWith('0.sealed') ? Promise.reject(failure('EIO')) : systemDisk.readFile(path),
    })
    startLoop()
    for (const callback of others)
      await eventually(async () => expect(await findRows(callback)).toHaveLength(1))
    await eventually(async () => expect(await readdir(folder)).toEqual(['0.sealed']))
    // Else whoever watches the spool would hear of nothing.
    expect(await spool.count()).toEqual({ callbacks: 1, quarantined: 0 })
    isBroken = false
    await replayAll()
    expect(await findRows(unreadable)).toHaveLength(1)
  })

  it('for a full disk has no room for what was torn, is replayed after the others, which makes room', async () => {
    const [torn, ...others] = [received(), received(), received()]
    const record = encodeRecord(torn)
    await leave([torn, ...others], Buffer.concat([record, record.subarray(0, 40)]))
    await openOn({
      open: async (path, flags, mode) => {
        const isFull = path.endsWith('.aside') && (await readdir(folder)).includes('2.sealed')
        return isFull ? Promise.reject(failure('ENOSPC')) : systemDisk.open(path, flags, mode)
      },
    })
    startLoop()
    for (const callback of [...others, torn])
      await eventually(async () => expect(await findRows(callback)).toHaveLength(1))
    await eventually(async () => expect(await spool.count()).toEqual({ callbacks: 0, quarantined: 1 }))
  })
})

describe('receiving', () => {
  it('keeps in the spool what Postgres does not take in time, and remembers the outage', async () => {
    const receiver = createReceiver({ database, spool, availability, patienceMs: 50 })
    const first = received({ payment_id: 82n })
    await database.transaction().execute(async (transaction) => {
      // The lock makes the insert wait, as a Postgres would that is stopped, or whose machine is gone.
      await sql`LOCK TABLE callbacks IN ACCESS EXCLUSIVE MODE`.execute(transaction)
      expect(await receiver.receive(first)).toBe('spool')
      expect(availability.isDown()).toBe(true)
      expect(await receiver.receive(received())).toBe('spool')
    })
    // The insert that nobody waited for goes through now, and so does the replay: stored once.
    await replayAll()
    await receiver.drained()
    await eventually(async () => expect(await findRows(first)).toHaveLength(1))
    expect(await findDuties(first)).toHaveLength(1)
    expect(await receiver.receive(received())).toBe('database')
  })

  it('keeps in the spool what Postgres refuses for whatever reason', async () => {
    const receiver = createReceiver({ database, spool, availability, patienceMs: 20_000 })
    expect(await receiver.receive(received({ payment_id: 2n ** 63n }))).toBe('spool')
    await sql`ALTER TABLE callbacks RENAME TO callbacks_later`.execute(database)
    const callback = received()
    expect(await receiver.receive(callback)).toBe('spool')
    await sql`ALTER TABLE callbacks_later RENAME TO callbacks`.execute(database)
    await replayAll()
    expect(await findRows(callback)).toHaveLength(1)
  })
})
