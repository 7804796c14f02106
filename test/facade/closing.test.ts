import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  countPayments,
  keptOpen,
  openConnection,
  openFacade,
  parseAnswers,
  type TestFacade,
} from './harness.ts'
import { lockIdempotencyKeys } from './lock.ts'

let test: TestFacade
beforeEach(async () => {
  test = await openFacade()
})
afterEach(() => test.stop())

describe('closing', () => {
  it('finishes what is under way, ends every connection and takes no more', async () => {
    const idle = await openConnection(test)
    const busy = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    busy.socket.write(keptOpen(test, 'under way'))
    await lock.untilSomebodyWaits()

    const closed = test.facade.close()
    expect(await idle.came).toBe('')
    const late = connect(test.httpPort, '127.0.0.1')
    const [refusal] = await once(late, 'error')
    expect(refusal).toMatchObject({ code: 'ECONNREFUSED' })

    await lock.release()
    const [answer] = parseAnswers(await busy.came)
    expect(answer).toMatchObject({ status: 200, headers: { connection: 'close' } })
    await closed
    expect(await countPayments(test)).toBe(1)
  })

  it('serves a request that comes on an open connection meanwhile', async () => {
    const busy = await openConnection(test)
    const begun = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    busy.socket.write(keptOpen(test, 'busy'))
    // Half a request: its connection is not idle, so it stays open.
    const bytes = keptOpen(test, 'begun')
    begun.socket.write(bytes.slice(0, 40))
    await lock.untilSomebodyWaits()

    const closed = test.facade.close()
    begun.socket.write(bytes.slice(40))
    await lock.release()
    for (const { came } of [busy, begun]) {
      expect(parseAnswers(await came)).toMatchObject([{ status: 200, headers: { connection: 'close' } }])
    }
    await closed
    expect(await countPayments(test)).toBe(2)
  })
})
