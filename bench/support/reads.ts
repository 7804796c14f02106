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

const drawPayments = async ({ database, services }: GrownDatabase, count: number) => {
  const { rows } = await sql<{ id: bigint; partner_id: bigint }>`
    SELECT found.id, found.partner_id
    FROM generate_series(1, ${count}::integer) AS number
    CROSS JOIN (SELECT max(id) AS last FROM payments) AS ids
    CROSS JOIN LATERAL (
      SELECT id, partner_id FROM payments
      WHERE id > (random() * 0.95 * last)::bigint + 0 * number ORDER BY id LIMIT 1
    ) AS found
  `.execute(database)
  return rows.map(({ id, partner_id }) => ({
    id,
    apiKey: services.apiKeys[services.partnerIds.indexOf(partner_id)] ?? '',
  }))
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
