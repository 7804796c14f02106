import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { createCallbackTokens } from '../../src/core/callback/token.ts'
import type { Database } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { paceCallbacks } from './callback-load.ts'
import type { DeliveryServices } from './delivery-services.ts'
import type { BenchReceiver } from './receiver.ts'
import { type BenchServer, startGateway } from './server-process.ts'

/** Whom an outcome is for. */
export type Endpoint = { partnerId: bigint; url: string }

/** Outcomes, each from Daraja's callback on: settled and committed by a real `serve`, and published by it. */
export type OutcomeSource = {
  /** Lets outcomes become known at a steady rate, the endpoints in turn; resolves with the ids by which they are told. */
  pace(given: { endpoints: readonly Endpoint[]; perSecond: number; seconds: number }): Promise<string[]>
  stop(): Promise<void>
}

const CONNECTIONS = 32

export const startOutcomeSource = async (services: DeliveryServices): Promise<OutcomeSource> => {
  const tokens = createCallbackTokens({ secretKey: services.secretKey, previousSecretKey: null })
  const serve: BenchServer = await startGateway('serve', {
    ...services.environment,
    HTTP_PORT: '0',
    GRPC_PORT: '0',
    CONNECT_PORT: '0',
    PUBLIC_URL: 'http://127.0.0.1:1',
    // Nobody is there, and nobody is called: the payments are open already, and no query is due for a day.
    DARAJA_BASE_URL: 'http://127.0.0.1:1',
    DARAJA_CONSUMER_KEY: 'bench',
    DARAJA_CONSUMER_SECRET: 'bench',
    DARAJA_SHORTCODE: '174379',
    DARAJA_PASSKEY: 'bench',
  })
  return {
    pace: async ({ endpoints, perSecond, seconds }) => {
      const ids = await openPaymentsOf(services.database, endpoints, perSecond * seconds)
      const load = { url: serve.ready['http_url'] ?? '', perSecond, connections: CONNECTIONS }
      const { failed } = await paceCallbacks({ ...load, tokens: ids.map((id) => tokens.issue(id)) })
      if (failed > 0) throw new Error(`${failed} callbacks were not taken`)
      return ids.map((id) => `msg_${id}_successful`)
    },
    stop: () => serve.stop('SIGTERM'),
  }
}

/** Payments whose payers have the prompt, the endpoints in turn. */
const openPaymentsOf = async (
  database: Database,
  endpoints: readonly Endpoint[],
  count: number,
): Promise<bigint[]> => {
  await ensurePartitions(database)
  const { rows } = await sql<{ id: bigint }>`
    WITH endpoints AS (
      SELECT * FROM unnest(
        ${endpoints.map(({ partnerId }) => partnerId)}::bigint[], ${endpoints.map(({ url }) => url)}::text[]
      ) WITH ORDINALITY AS given (partner_id, url, place)
    ), added AS (
      INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url, reference)
      SELECT partner_id, 150, 'submitted', now(), '254712345678', url, 'INV-2025-001'
      FROM generate_series(0, ${count - 1}) AS number
      JOIN endpoints ON place = 1 + number % ${endpoints.length}
      ORDER BY number
      RETURNING id
    ), duties AS (
      INSERT INTO to_query (payment_id, due_at) SELECT id, now() + interval '1 day' FROM added
    )
    SELECT id FROM added ORDER BY id
  `.execute(database)
  return rows.map(({ id }) => id)
}

/** How long deliveries may take to come in once the last outcome is known, ms. */
const PATIENCE_MS = 120_000

/**
 * Resolves, once all of them have come or the patience is at its end, with how long each took that came, ms: from the start of
 * the transaction that settled its payment, so the commit itself is part of it, to the headers at the receiver.
 */
export const awaitOutcomes = async (options: {
  database: Database
  receiver: BenchReceiver
  ids: readonly string[]
}): Promise<{ latencies: Latency[]; lost: number; duplicates: number }> => {
  const { database, receiver, ids } = options
  const untilMs = performance.now() + PATIENCE_MS
  const expected = new Set(ids)
  const came = new Map<string, { atMs: number; times: number }>()
  for (;;) {
    for (const [id, { atMs, times }] of await receiver.take()) {
      const known = came.get(id)
      if (expected.has(id)) came.set(id, { atMs: known?.atMs ?? atMs, times: (known?.times ?? 0) + times })
    }
    if (came.size === expected.size || performance.now() > untilMs) break
    await pause(100)
  }
  const { rows } = await sql<{ id: string; at: number }>`
    SELECT webhook_id AS id, extract(epoch FROM created_at)::float8 * 1000 AS at FROM deliveries
    WHERE webhook_id = ANY(${[...came.keys()]}::text[])
  `.execute(database)
  const latencies = rows.map(({ id, at }) => ({ committedMs: at, tookMs: (came.get(id)?.atMs ?? 0) - at }))
  const duplicates = [...came.values()].reduce((sum, { times }) => sum + times - 1, 0)
  return { latencies, lost: expected.size - came.size, duplicates }
}

/** How long one outcome took to be told, and when it was committed, ms (since 1970). */
export type Latency = { committedMs: number; tookMs: number }

/** The time that a share of them stayed below, ms. */
export const percentile = (latencies: readonly Latency[], share: number): number => {
  const sorted = latencies.map(({ tookMs }) => tookMs).sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}
