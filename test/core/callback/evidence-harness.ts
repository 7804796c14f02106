import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import { type Interpreter, startInterpreting } from '../../../src/core/callback/interpret.ts'
import type { ReadableCallback } from '../../../src/core/callback/read-evidence.ts'
import { storeCallbacks } from '../../../src/core/callback/receive.ts'
import { createCoreMetrics } from '../../../src/core/metrics.ts'
import type { Database } from '../../../src/database/connect.ts'
import type { PaymentStateName } from '../../../src/database/schema/payments.ts'
import { createLog } from '../../../src/runtime/log.ts'
import { openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readDuties, readMoves, readPayment } from '../../support/payments.ts'
import { received } from './received.ts'

export const NONCE = '00c0ffee00c0ffee'
export const OTHER_NONCE = '0ddba11500000000'

export const CHECKOUT_ID = 'ws_CO_04052026210410237712345678'
export const OTHER_CHECKOUT_ID = 'ws_CO_03052026110410111799999999'

/** What a callback says; what is left out stands as in one that fits the payment. */
export type Said = {
  resultCode?: number
  /** Null: none is said. */
  receipt?: string | null
  amount?: unknown
  phone?: unknown
  checkoutRequestId?: string | null
  merchantRequestId?: string | null
  nonce?: string | null
}

export type PaymentGiven = {
  state?: PaymentStateName
  nonce?: string | null
  /** Whether Daraja gave us its ids; by default in all states but those before the reply. */
  hasIds?: boolean
  receipt?: string
  amountKes?: number
}

/** How a callback comes to be interpreted. */
export const WAYS = [
  { way: 'found due', atOnce: false },
  { way: 'interpreted at once', atOnce: true },
]

/** When the loops find what was to be interpreted at once, ms: later than that takes, unless the machine stands still. */
const LEFT_FOR_MS = 5_000

let receipts = 0
/** A receipt that no other payment of the file has. */
export const newReceipt = (): string => {
  receipts += 1
  return `UE4${String(receipts).padStart(7, '0')}`
}

/**
 * Processes that interpret callbacks, on a database of the test's own: as due, whoever took them, or `atOnce`, as the
 * process does that took them; then the loops find them after `leftForMs`.
 */
export const openEvidence = async ({ replicas = 2, atOnce = false, leftForMs = LEFT_FOR_MS } = {}) => {
  const { url: databaseUrl, database, close } = await openTestDatabase({ poolSize: 6 })
  const logLines: Record<string, unknown>[] = []
  const to = new Writable({
    write: (chunk, _encoding, done) => {
      logLines.push(JSON.parse(String(chunk)) as Record<string, unknown>)
      done()
    },
  })
  const log = createLog({ name: 'test', level: 'debug', to })
  const start = (): Interpreter =>
    startInterpreting({
      database,
      nowMs: () => performance.now(),
      log,
      metrics: createCoreMetrics(new Registry(), database),
      onSettled: () => undefined,
      publishAtOnce: () => null,
      pullsByDefault: true,
    })
  const loops = Array.from({ length: replicas }, start)
  const stop = async (): Promise<void> => {
    await Promise.all(loops.map((loop) => loop.stop()))
    await close()
  }
  return { database, databaseUrl, logLines, stop, ...createSteps({ database, loops, atOnce, leftForMs }) }
}

export type EvidenceStage = Awaited<ReturnType<typeof openEvidence>>

const createSteps = (options: {
  database: Database
  loops: readonly Interpreter[]
  atOnce: boolean
  leftForMs: number
}) => {
  const { database, loops, atOnce } = options
  const newPayment = async (given: PaymentGiven = {}): Promise<bigint> => {
    const { state = 'submitted', nonce = NONCE, receipt = null, amountKes = 150 } = given
    const hasIds = given.hasIds ?? !['accepted', 'submitting', 'unconfirmed'].includes(state)
    const { rows } = await sql<{ id: bigint }>`
      WITH added AS (
        INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url, callback_nonce,
                              merchant_request_id, checkout_request_id, receipt)
        VALUES (1, ${amountKes}, ${state}, now() + interval '1 hour', '254712345678', 'https://shop.example.com/paid', ${nonce},
                ${hasIds ? '2654-4b64' : null}, ${hasIds ? CHECKOUT_ID : null}, ${receipt})
        RETURNING id, state, checkout_request_id
      ), queries AS (
        INSERT INTO to_query (payment_id, due_at) SELECT id, now() + interval '1 hour' FROM added
        WHERE state IN ('submitted', 'unconfirmed') AND checkout_request_id IS NOT NULL
      ), confirmations AS (
        INSERT INTO to_confirm (payment_id, due_at) SELECT id, now() + interval '1 hour' FROM added
        WHERE state = 'unconfirmed'
      )
      SELECT id FROM added
    `.execute(database)
    return rows[0]?.id ?? 0n
  }

  /** The payment is one of an account of its partner's own. */
  const giveAccount = async (id: bigint, { pull }: { pull: boolean }): Promise<void> => {
    await sql`
      WITH partner AS (INSERT INTO partners (name) VALUES (gen_random_uuid()) RETURNING id), account AS (
        INSERT INTO partner_accounts (partner_id, shortcode, transaction_type, party_b, consumer_key_sealed,
          consumer_secret_sealed, passkey_sealed, unique_reference, pull)
        SELECT id, '600777', 'CustomerPayBillOnline', '600777', '', '', '', true, ${pull} FROM partner RETURNING id
      )
      UPDATE payments SET account_id = account.id FROM account WHERE payments.id = ${id}
    `.execute(database)
  }

  /** Makes callbacks durable, all in one statement: nobody is told of them. */
  const store = async (
    on: Database,
    ...all: (Said & { paymentId: bigint })[]
  ): Promise<ReadableCallback[]> => {
    const callbacks = all.map(({ paymentId: payment_id, nonce = NONCE, ...said }) => {
      const one = received({ nonce, body: bodyOf(said) })
      return Object.assign(one, { payment_id })
    })
    await storeCallbacks(on, callbacks, { dueAfterMs: atOnce ? options.leftForMs : 0 })
    return callbacks
  }

  let posted = 0
  /** Makes callbacks durable, all in one commit, and hands them to this process; resolves with their ids. */
  const postTo = async (
    { interpret }: Pick<Interpreter, 'interpret'>,
    ...all: (Said & { paymentId: bigint })[]
  ): Promise<string[]> => {
    const callbacks = await store(database, ...all)
    for (const callback of callbacks) interpret(callback)
    return callbacks.map(({ id }) => id)
  }

  /** Makes callbacks durable, all in one commit, where they are found or are handed to one process after the other. */
  const post = (...all: (Said & { paymentId: bigint })[]): Promise<string[]> => {
    posted += 1
    const turn = loops[posted % loops.length]
    const interpret = (callback: ReadableCallback): void => {
      if (atOnce) turn?.interpret(callback)
      else for (const loop of loops) loop.wake()
    }
    return postTo({ interpret }, ...all)
  }

  const isWaiting = async (callbackId: string): Promise<boolean> =>
    (
      await database
        .selectFrom('to_interpret')
        .select('callback_id')
        .where('callback_id', '=', callbackId)
        .execute()
    ).length > 0

  const untilInterpreted = (ids: readonly string[]): Promise<void> =>
    eventually(async () => {
      for (const id of ids) expect(await isWaiting(id)).toBe(false)
    })

  /** Callbacks, until each was interpreted. */
  const tell = async (...all: (Said & { paymentId: bigint })[]): Promise<void> =>
    untilInterpreted(await post(...all))

  const findingsOf = (id: bigint) =>
    database
      .selectFrom('payment_findings')
      .select(['kind', 'detail'])
      .where('payment_id', '=', id)
      .orderBy('kind')
      .execute()

  /** What became of a payment, and what is still to be done about it now. */
  const look = async (id: bigint) => {
    const { state, receipt } = await readPayment(database, id)
    const due = async (table: 'to_query' | 'to_confirm') => {
      const rows = await sql<{ is_due: boolean }>`
        SELECT due_at <= now() AS is_due FROM ${sql.table(table)} WHERE payment_id = ${id}
      `.execute(database)
      return rows.rows.some((row) => row.is_due)
    }
    return {
      state,
      receipt,
      moves: await readMoves(database, id),
      delivered: (await readBodies(database, id)).map(({ status }) => status),
      duties: await readDuties(database, id),
      isAsked: (await due('to_query')) || (await due('to_confirm')),
      findings: (await findingsOf(id)).map(({ kind }) => kind),
    }
  }

  const holderOf = async (receipt: string): Promise<bigint | null> =>
    (
      await database
        .selectFrom('receipts')
        .select('payment_id')
        .where('receipt', '=', receipt)
        .executeTakeFirst()
    )?.payment_id ?? null

  return {
    newPayment,
    giveAccount,
    store,
    post,
    postTo,
    tell,
    untilInterpreted,
    isWaiting,
    look,
    findingsOf,
    holderOf,
    holdLatch: holdLatchOf(database),
  }
}

/** Holds an advisory lock that a trigger waits for, and lets whoever waits have it: once, or for good. */
const holdLatchOf = (database: Database) => async (latch: number) => {
  const isHeld = Promise.withResolvers<void>()
  const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const again = Promise.withResolvers<void>()
  const held = database.connection().execute(async (connection) => {
    await sql`SELECT pg_advisory_lock(${latch})`.execute(connection)
    isHeld.resolve()
    await steps[0].promise
    await sql`SELECT pg_advisory_unlock(${latch})`.execute(connection)
    // Whoever waits comes first, and keeps it to the end of its transaction.
    await sql`SELECT pg_advisory_lock(${latch})`.execute(connection)
    again.resolve()
    await steps[1].promise
    await sql`SELECT pg_advisory_unlock(${latch})`.execute(connection)
  })
  await isHeld.promise
  const awaitWaiting = (): Promise<void> =>
    eventually(async () => {
      const { rows } = await sql`
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${latch} AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      `.execute(database)
      expect(rows).toHaveLength(1)
    })
  return {
    awaitWaiting,
    once: async (): Promise<void> => {
      await awaitWaiting()
      steps[0].resolve()
      await again.promise
    },
    all: async (): Promise<void> => {
      steps[1].resolve()
      await held
    },
  }
}

const bodyOf = (said: Said): Buffer => {
  const { resultCode = 0, receipt = newReceipt(), amount = 150, phone = 254_712_345_678 } = said
  const { checkoutRequestId = CHECKOUT_ID, merchantRequestId = '2654-4b64' } = said
  const metadata = [
    { Name: 'Amount', Value: amount },
    ...(receipt === null ? [] : [{ Name: 'MpesaReceiptNumber', Value: receipt }]),
    { Name: 'TransactionDate', Value: 20_260_504_210_428 },
    { Name: 'PhoneNumber', Value: phone },
  ]
  return Buffer.from(
    JSON.stringify({
      Body: {
        stkCallback: {
          MerchantRequestID: merchantRequestId,
          CheckoutRequestID: checkoutRequestId,
          ResultCode: resultCode,
          ResultDesc: 'said',
          ...((resultCode === 0 || said.amount !== undefined || said.phone !== undefined) && {
            CallbackMetadata: { Item: metadata },
          }),
        },
      },
    }),
  )
}
