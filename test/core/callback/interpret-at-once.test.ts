import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createInterpretingAtOnce } from '../../../src/core/callback/interpret-at-once.ts'
import type { ReadableCallback } from '../../../src/core/callback/read-evidence.ts'
import { createCoreMetrics } from '../../../src/core/metrics.ts'
import { type PublishAtOnce, takeUnpublished } from '../../../src/core/outbox/publish.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import type { Database } from '../../../src/database/connect.ts'
import { FROM_BEGINNING } from '../../../src/database/look-back.ts'
import type { Due } from '../../../src/queue/delivery-stream.ts'
import { countStatements } from '../../support/counted-database.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { type EvidenceStage, newReceipt, openEvidence } from './evidence-harness.ts'

let stage: EvidenceStage

/** Longer than any test. */
const NEVER_MS = 3_600_000

beforeAll(async () => {
  stage = await openEvidence({ atOnce: true, leftForMs: NEVER_MS })
})
afterAll(() => stage.stop())

/** Another process's transaction, which changes payments and commits once a callback waits for it. */
const changeMeanwhile = async (
  change: (transaction: Parameters<typeof settle>[0]) => Promise<unknown>,
  post: () => Promise<unknown>,
): Promise<void> => {
  await stage.database.transaction().execute(async (transaction) => {
    await change(transaction)
    await post()
    await eventually(async () => {
      const { rows } = await sql`
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
      `.execute(stage.database)
      expect(rows).toHaveLength(1)
    })
  })
}

describe('a callback that the process interprets which took it', () => {
  it('is settled with others of its batch in two statements', async () => {
    const counted = countStatements(stage.database)
    const ids = [await stage.newPayment(), await stage.newPayment()]
    const callbacks = ids.map((paymentId) => ({ paymentId }))
    await stage.untilInterpreted(await stage.postTo(atOnceOn(counted.database), ...callbacks))
    for (const id of ids) {
      expect(await stage.look(id)).toMatchObject({
        state: 'successful',
        moves: ['submitted>successful callback'],
        delivered: ['successful'],
        duties: [],
      })
    }
    expect(counted.count()).toBe(2)
  })

  it('has its delivery published out of memory, and again where that was lost', async () => {
    const published: Due[] = []
    const [atOnce, later] = [await stage.newPayment(), await stage.newPayment()]
    // Its process dies before JetStream has anything.
    const dying = atOnceOn(stage.database, () => (dues) => published.push(...dues))
    await stage.untilInterpreted(await stage.postTo(dying, { paymentId: atOnce }))
    await stage.untilInterpreted(await stage.postTo(atOnceOn(stage.database), { paymentId: later }))
    const [first] = published
    expect(published).toEqual([
      { delivery_id: expect.any(BigInt), publish_number: 1, partner_id: 1n, host: 'shop.example.com' },
    ])
    const byLoop = await takeUnpublished(stage.database, FROM_BEGINNING)
    expect(byLoop).not.toContainEqual(expect.objectContaining({ delivery_id: first?.delivery_id }))
    expect(byLoop.length).toBeGreaterThan(0)
    await sql`UPDATE to_deliver SET publish_at = publish_at - interval '2 minutes'`.execute(stage.database)
    expect(await takeUnpublished(stage.database, FROM_BEGINNING)).toContainEqual({
      ...first,
      publish_number: 2,
    })
  })

  it('is left to it for a while, and then to whoever finds it', async () => {
    const [theirs, due] = [await stage.newPayment(), await stage.newPayment()]
    const nobody = { interpret: () => undefined }
    const [callbackId = ''] = await stage.postTo(nobody, { paymentId: theirs })
    await stage.tell({ paymentId: due })
    expect(await stage.isWaiting(callbackId)).toBe(true)
    await sql`UPDATE to_interpret SET due_at = now()`.execute(stage.database)
    await stage.untilInterpreted([callbackId])
    expect(await stage.look(theirs)).toMatchObject({ state: 'successful', delivered: ['successful'] })
  })

  it('does not settle a payment that somebody else settles meanwhile, and brings the receipt', async () => {
    const [id, receipt] = [await stage.newPayment(), newReceipt()]
    const byQuery = (transaction: Parameters<typeof settle>[0]) =>
      settle(transaction, [
        {
          paymentId: id,
          outcome: 'successful',
          cause: 'query',
          resultCode: '0',
          resultDesc: 'asked',
          receipt: null,
          amountKes: null,
          transactionDate: null,
          merchantRequestId: null,
          checkoutRequestId: null,
        },
      ])
    let callbackIds: string[] = []
    await changeMeanwhile(byQuery, async () => {
      callbackIds = await stage.post({ paymentId: id, receipt })
    })
    await eventually(async () => expect(await stage.isWaiting(callbackIds[0] ?? '')).toBe(false))
    expect(await stage.look(id)).toMatchObject({
      moves: ['submitted>successful query'],
      delivered: ['successful'],
      receipt,
      findings: [],
    })
  })

  it('is held against the payment as it is, whatever was changed since it was read', async () => {
    const [id, receipt] = [await stage.newPayment(), newReceipt()]
    await changeMeanwhile(
      (transaction) => sql`UPDATE payments SET msisdn = '254799000999' WHERE id = ${id}`.execute(transaction),
      () => stage.post({ paymentId: id, receipt }),
    )
    await eventually(async () =>
      expect(await stage.look(id)).toMatchObject({ state: 'submitted', findings: ['different_payer'] }),
    )
    expect(await stage.holderOf(receipt)).toBeNull()
  })

  it('is settled once, also when two processes have it', async () => {
    const id = await stage.newPayment()
    const others = [atOnceOn(stage.database), atOnceOn(stage.database)]
    const interpret = (callback: ReadableCallback): void => {
      for (const other of others) other.interpret(callback)
    }
    await stage.untilInterpreted(await stage.postTo({ interpret }, { paymentId: id }))
    await Promise.all(others.map((other) => other.drained()))
    expect(await stage.look(id)).toMatchObject({
      moves: ['submitted>successful callback'],
      delivered: ['successful'],
    })
  })

  it('is interpreted with those that are due when its own statement fails', async () => {
    await sql`
      CREATE FUNCTION fail_at_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF (SELECT count(*) FROM to_interpret) > 0 THEN RAISE 'a defect of this way alone'; END IF;
        RETURN NEW;
      END $$
    `.execute(stage.database)
    await sql`
      CREATE TRIGGER fail_at_once BEFORE UPDATE ON payments FOR EACH ROW WHEN (NEW.amount_kes = 667)
      EXECUTE FUNCTION fail_at_once()
    `.execute(stage.database)
    const id = await stage.newPayment({ amountKes: 667 })
    await stage.tell({ paymentId: id, amount: 667 })
    expect(await stage.look(id)).toMatchObject({ state: 'successful', delivered: ['successful'] })
    await eventually(() =>
      expect(stage.logLines).toContainEqual(expect.objectContaining({ event: 'interpretation_failed' })),
    )
  })
})

/** A process without the loop that finds what is left. */
const atOnceOn = (database: Database, publishAtOnce: () => PublishAtOnce | null = () => null) =>
  createInterpretingAtOnce(
    {
      database,
      log: quietLog,
      metrics: createCoreMetrics(new Registry(), database),
      onSettled: () => undefined,
      publishAtOnce,
      pullsByDefault: false,
    },
    { onLeft: () => undefined },
  )
