import { randomUUID } from 'node:crypto'
import { fastify } from 'fastify'
import { Pool } from 'pg'
import { readConfig } from '../../src/runtime/config.ts'

// The second yardstick: what most services do. Fastify, and one INSERT with its own commit for each request.
const { DATABASE_URL } = readConfig(process.env, ['DATABASE_URL'])
const pool = new Pool({ connectionString: DATABASE_URL, max: 10 })
await pool.query(`
  CREATE TABLE IF NOT EXISTS one_insert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner_id bigint NOT NULL,
    idempotency_key text NOT NULL,
    body jsonb NOT NULL,
    UNIQUE (partner_id, idempotency_key)
  )
`)

const server = fastify()
server.post('/api/v1/mpesa/stk_push', async (request) => {
  const key = request.headers['x-idempotency-key'] ?? randomUUID()
  const { rows } = await pool.query<{ id: string }>({
    name: 'insert',
    text: 'INSERT INTO one_insert (partner_id, idempotency_key, body) VALUES (1, $1, $2) RETURNING id',
    values: [key, request.body],
  })
  return {
    status: 'success',
    transaction_id: Number(rows[0]?.id),
    message: 'STK Push accepted for processing',
  }
})
const url = await server.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${JSON.stringify({ ready: true, url })}\n`)
