import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type EvidenceStage, openEvidence } from './evidence-harness.ts'

/** The payments that the test's own trigger makes trouble for. */
const TROUBLED_KES = 666

/** What the trigger waits for, when it is told to. */
const LATCH = 4711

describe('a callback whose interpretation fails', () => {
  let stage: EvidenceStage
  beforeAll(async () => {
    stage = await openEvidence({ replicas: 1 })
    await sql`CREATE SEQUENCE troubles`.execute(stage.database)
    await makeTrouble('BEGIN RETURN NEW; END')
    await sql`
      CREATE TRIGGER trouble BEFORE UPDATE ON payments FOR EACH ROW
      WHEN (NEW.amount_kes = ${sql.lit(TROUBLED_KES)}) EXECUTE FUNCTION trouble()
    `.execute(stage.database)
  })
  beforeEach(async () => {
    await sql`ALTER SEQUENCE troubles RESTART`.execute(stage.database)
    stage.logLines.length = 0
  })
  afterAll(() => stage.stop())

  const makeTrouble = (body: string): Promise<unknown> =>
    sql`CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(body)}`.execute(
      stage.database,
    )

  const troubled = (): Promise<bigint> => stage.newPayment({ amountKes: TROUBLED_KES })

  const eventsOf = (event: string) => stage.logLines.filter((line) => line['event'] === event)

  const settledIds = () => eventsOf('payment_successful').map((line) => line['payment_id'])

  it('by what it holds is kept, reported once, and not tried for ever; the others are settled', async () => {
    await makeTrouble(`BEGIN RAISE 'too much' USING ERRCODE = '22003'; END`)
    const [first, bad, last] = [await stage.newPayment(), await troubled(), await stage.newPayment()]
    await stage.tell({ paymentId: first }, { paymentId: bad, amount: TROUBLED_KES }, { paymentId: last })
    await eventually(() => expect(settledIds()).toEqual([Number(first), Number(last)]))
    await eventually(() => expect(eventsOf('callback_given_up')).toHaveLength(1))
    expect((await stage.look(bad)).state).toBe('submitted')
    expect(eventsOf('callback_put_off')).toEqual([])
    const kept = stage.database.selectFrom('callbacks').select('id').where('payment_id', '=', bad)
    expect(await kept.execute()).toHaveLength(1)
  })

  it('for another reason is put off, later each time, and is settled once it is over', async () => {
    await makeTrouble(`BEGIN RAISE 'a defect'; END`)
    const [bad, good] = [await troubled(), await stage.newPayment()]
    const [badCallback = ''] = await stage.post({ paymentId: bad, amount: TROUBLED_KES }, { paymentId: good })
    await eventually(() => expect(eventsOf('callback_put_off')).toMatchObject([{ callback_id: badCallback }]))
    await eventually(async () => expect((await stage.look(good)).state).toBe('successful'))
    const pauseOf = async (): Promise<number> => {
      const { rows } = await sql<{ seconds: number }>`
        SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM to_interpret WHERE callback_id = ${badCallback}
      `.execute(stage.database)
      return rows[0]?.seconds ?? 0
    }
    expect(await pauseOf()).toBeGreaterThan(30)
    expect(await pauseOf()).toBeLessThanOrEqual(60)
    // It came an hour ago.
    for (const table of ['callbacks', 'to_interpret']) {
      const id = sql.ref(table === 'callbacks' ? 'id' : 'callback_id')
      await sql`
        UPDATE ${sql.table(table)} SET received_at = received_at - interval '1 hour' WHERE ${id} = ${badCallback}
      `.execute(stage.database)
    }
    await sql`UPDATE to_interpret SET due_at = now() WHERE callback_id = ${badCallback}`.execute(
      stage.database,
    )
    await eventually(() => expect(eventsOf('callback_put_off')).toHaveLength(2))
    expect(await pauseOf()).toBeGreaterThan(1_000)
    await makeTrouble('BEGIN RETURN NEW; END')
    await sql`UPDATE to_interpret SET due_at = now() WHERE callback_id = ${badCallback}`.execute(
      stage.database,
    )
    await eventually(async () => expect((await stage.look(bad)).state).toBe('successful'))
  })

  it('is the one that is put off, whatever older callback comes meanwhile', async () => {
    await makeTrouble(`BEGIN PERFORM pg_advisory_xact_lock(${LATCH}); RAISE 'a defect'; END`)
    const [innocent, bad] = [await stage.newPayment(), await troubled()]
    const release = await stage.holdLatch(LATCH)
    const hold = Promise.withResolvers<void>()
    const isHeld = Promise.withResolvers<void>()
    const replica = stage.database.transaction().execute(async (transaction) => {
      await stage.store(transaction, { paymentId: innocent })
      isHeld.resolve()
      await hold.promise
    })
    await isHeld.promise
    const [badCallback] = await stage.post({ paymentId: bad, amount: TROUBLED_KES })
    // The batch fails, then the callback by itself is tried: it waits at the latch, and by then there is an older one.
    await release.once()
    await release.awaitWaiting()
    hold.resolve()
    await replica
    await release.all()
    await eventually(() => expect(eventsOf('callback_put_off')).toMatchObject([{ callback_id: badCallback }]))
    await eventually(async () => expect((await stage.look(innocent)).state).toBe('successful'))
  })

  it('does not keep what was settled before an outage from being published', async () => {
    await makeTrouble(`
      BEGIN
        CASE nextval('troubles')
          WHEN 1 THEN RAISE 'a defect';
          WHEN 2 THEN RAISE 'the server is starting up' USING ERRCODE = '57P03';
          ELSE RETURN NEW;
        END CASE;
      END`)
    const [first, bad] = [await stage.newPayment(), await troubled()]
    await stage.tell({ paymentId: first }, { paymentId: bad, amount: TROUBLED_KES })
    await eventually(() => expect(settledIds()).toEqual([Number(first), Number(bad)]))
  })
})
