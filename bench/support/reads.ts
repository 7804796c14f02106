import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { Pool } from 'undici'
import type { GrownDatabase } from './grown-database.ts'
import { type Times, toTimes } from './whole/measure.ts'

/** One read of a partner's. */
type Read = { path: string; apiKey: string }

/** Reads that are made. */
export type ReadLoad = { count: number; perSecond: number }

const CONNECTIONS = 16

/** Payments out of all that are there, each read by its partner. */
export const singleReads = async (grown: GrownDatabase, count: number): Promise<Read[]> => {
  const rows = await drawPayments(grown, count)
  return rows.map(({ id, apiKey }) => ({ path: `/api/v1/mpesa/transactions/${id}`, apiKey }))
}

/** The first pages of partners' lists, and as many from somewhere in the middle. */
export const listReads = async (grown: GrownDatabase, count: number): Promise<Read[]> => {
  const rows = await drawPayments(grown, count)
  return rows.map(({ id, apiKey }, index) => ({
    path: `/api/v1/mpesa/transactions?limit=20${index % 2 === 0 ? '' : `&before=${id}`}`,
    apiKey,
  }))
}

/** What a partner looks for, by the name of its parameter or parameters; each find leads to a payment that is there. */
export const FINDS = {
  'a find by reference': ({ reference }) => ({ reference }),
  'by receipt': ({ receipt }) => ({ mpesa_receipt: receipt ?? 'UE00000000' }),
  'by phone': ({ msisdn }) => ({ phone: msisdn }),
  // The keys of what was loaded are the ids.
  'by key': ({ id }) => ({ idempotency_key: String(id) }),
  'by time': ({ created_at }) => ({
    created_from: new Date(created_at.getTime() - FOUND_AROUND_MS).toISOString(),
    created_to: new Date(created_at.getTime() + FOUND_AROUND_MS).toISOString(),
  }),
} as const satisfies Record<string, (drawn: Drawn) => Record<string, string>>

const FOUND_AROUND_MS = 60_000

/** Finds of one kind. */
export const findReads = async (
  grown: GrownDatabase,
  count: number,
  kind: keyof typeof FINDS,
): Promise<Read[]> =>
  (await drawPayments(grown, count)).map((drawn) => {
    const query = new URLSearchParams({ limit: '20', ...FINDS[kind](drawn) })
    return { path: `/api/v1/mpesa/transactions?${query.toString()}`, apiKey: drawn.apiKey }
  })

type Drawn = {
  id: bigint
  partner_id: bigint
  reference: string
  receipt: string | null
  msisdn: string
  created_at: Date
}

const drawPayments = async ({ database, services }: GrownDatabase, count: number) => {
  const { rows } = await sql<Drawn>`
    SELECT found.*
    FROM generate_series(1, ${count}::integer) AS number
    CROSS JOIN (SELECT max(id) AS last FROM payments) AS ids
    CROSS JOIN LATERAL (
      SELECT id, partner_id, reference, receipt, msisdn, created_at FROM payments
      WHERE id > (random() * 0.95 * last)::bigint + 0 * number AND reference <> 'INV-2025-001' ORDER BY id LIMIT 1
    ) AS found
  `.execute(database)
  return rows.map((row) =>
    Object.assign(row, { apiKey: services.apiKeys[services.partnerIds.indexOf(row.partner_id)] ?? '' }),
  )
}

/** Makes the reads, so many a second; resolves with how long their answers took, ms. Throws for one that failed. */
export const readPaced = async (url: string, reads: readonly Read[], perSecond: number): Promise<Times> => {
  const pool = new Pool(url, { connections: CONNECTIONS })
  const beganMs = performance.now()
  try {
    const tookMs = reads.map(async ({ path, apiKey }, number) => {
      const dueMs = beganMs + (number * 1000) / perSecond
      await pause(Math.max(0, dueMs - performance.now()))
      const { statusCode, body } = await pool.request({
        path,
        method: 'GET',
        headers: { 'x-api-key': apiKey },
      })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`${path} was answered ${statusCode}: ${text}`)
      return performance.now() - dueMs
    })
    return toTimes(await Promise.all(tookMs))
  } finally {
    await pool.close()
  }
}
