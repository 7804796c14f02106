import { randomBytes } from 'node:crypto'
import getPort from 'get-port'
import { Pool } from 'undici'
import { createOperator } from '../../src/core/operators/operator.ts'
import { testActor } from '../../test/support/actor.ts'
import type { GrownDatabase } from './grown-database.ts'
import { startGateway } from './server-process.ts'

/** A console as operators run it, with an operator of the role `money` who is signed in. */
export type BenchConsole = {
  pid: number
  /** Asks for a page; resolves with how long its answer took, ms. Rejects when it is none of the status 200. */
  read(path: string): Promise<number>
  stop(): Promise<void>
}

export const startBenchConsole = async (
  { database, services }: GrownDatabase,
  darajaUrl: string,
): Promise<BenchConsole> => {
  const name = `bench-${randomBytes(4).toString('hex')}`
  const made = await createOperator({
    database,
    actor: testActor,
    randomBytes,
    name,
    role: 'money',
    password: null,
  })
  if (!made?.code) throw new Error('no operator was made')
  const port = await getPort({ host: '127.0.0.1' })
  const url = `http://127.0.0.1:${port}`
  const console = await startGateway('console', {
    ...services.environment,
    CONSOLE_PORT: String(port),
    DARAJA_BASE_URL: darajaUrl,
    DARAJA_CONSUMER_KEY: 'bench',
    DARAJA_CONSUMER_SECRET: 'bench',
    DARAJA_SHORTCODE: '174379',
    DARAJA_PASSKEY: 'bench',
  })
  const signedIn = await fetch(`${url}/sign-in/link`, {
    method: 'POST',
    headers: { origin: url },
    body: new URLSearchParams({ code: made.code }),
    redirect: 'manual',
  })
  const cookie = signedIn.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  const pool = new Pool(url, { connections: 10 })
  return {
    pid: console.pid,
    read: async (path) => {
      const askedMs = performance.now()
      const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { cookie } })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`${path} was answered ${statusCode}: ${text.slice(0, 300)}`)
      return performance.now() - askedMs
    },
    stop: async () => {
      await pool.close()
      await console.stop('SIGTERM')
    },
  }
}
