import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sample } from '../alerts/scrape.ts'
import { scrapeAll } from '../alerts/shown-metrics.ts'
import { type OwnNatsServer, prepareNatsServer } from '../queue/own-nats-server.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { openTestFolder } from '../support/folder.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { lastingPort } from '../support/ports.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { type NightShell, openNightShell } from './night-shell.ts'

/** Everything that goes wrong in a night, and a shell to mend it from. */
export type Stage = {
  gateway: TestGateway
  shell: NightShell
  promtool: string
  nats: OwnNatsServer
  /** The way on which Daraja's callbacks come. */
  publicWay: TcpLink
  authority: Authority
  /** A small disk with SPOOL_DIR on it; null where none may be mounted. */
  disk: string | null
  /** All that its processes show now. */
  scrape(): Promise<Sample[]>
  /** Asks for payments to be told at the URL; resolves with their ids. */
  pay(given: { url: string; count?: number; phone?: string; apiKey?: string }): Promise<number[]>
  close(): Promise<void>
}

/** Large enough that 100 MB free is not full, small enough to be filled. */
const DISK_SIZE = '160m'

const mountDisk = (at: string): string | null => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'tmpfs', at], { stdio: 'ignore' })
    return at
  } catch {
    return null
  }
}

/** Starts, beside the `promtool` that judges alerts, one `serve` and one `dispatch` with everything around them, each of which can be taken away. */
export const openStage = async (promtool: string): Promise<Stage> => {
  await using opening = new AsyncDisposableStack()
  const { path: folder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const at = join(folder, 'disk')
  await mkdir(at)
  const disk = mountDisk(at)
  opening.defer(() => {
    if (disk !== null) execFileSync('umount', ['--lazy', disk])
  })
  const nats = opening.adopt(await prepareNatsServer(), (one) => one.drop())
  await nats.start()
  const httpPort = await lastingPort()
  const publicWay = opening.adopt(await openTcpLink(httpPort), (one) => one.close())
  const authority = await createAuthority()
  await writeFile(join(folder, 'authority.pem'), authority.cert)
  const gateway = opening.adopt(
    await startTestGateway({
      serve: 1,
      dispatch: 1,
      stream: null,
      settings: {
        HTTP_PORT: String(httpPort),
        PUBLIC_URL: `http://127.0.0.1:${publicWay.port}`,
        NATS_URL: nats.url,
        NATS_STREAM: 'nights',
        SPOOL_DIR: join(at, 'spool'),
        CONSOLE_PORT: String(await lastingPort()),
        RECONCILE_AFTER_MS: '3000',
        NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem'),
      },
    }),
    (one) => one.close(),
  )
  const control = async (verb: string, service: string): Promise<void> => {
    if (service === 'nats-server' && verb === 'start') return nats.start()
    if (service === 'haproxy' && verb === 'restart') return publicWay.open()
    throw new Error(`nobody knows how to ${verb} ${service} here`)
  }
  const log = (): string => gateway.serve.map((one) => one.log()).join('')
  // As after a change of the key, which one runbook asks for.
  const environment = {
    ...gateway.settings,
    // As that of most managed servers.
    DATABASE_URL: `${gateway.databaseUrl}?sslmode=disable`,
    SECRET_KEY_PREVIOUS: 'ab'.repeat(32),
  }
  const shell = opening.adopt(await openNightShell({ folder, environment, control, log }), (one) =>
    one.close(),
  )
  const opened = opening.move()
  return {
    gateway,
    shell,
    promtool,
    nats,
    publicWay,
    authority,
    disk,
    scrape: () => scrapeAll(gateway, null),
    pay: async ({ url, count = 1, phone = '254712345678', apiKey = gateway.apiKey }) =>
      Promise.all(Array.from({ length: count }, () => askFor({ httpPort, apiKey, phone, url }))),
    close: () => opened.disposeAsync(),
  }
}

const askFor = async (given: {
  httpPort: number
  apiKey: string
  phone: string
  url: string
}): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${given.httpPort}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-api-key': given.apiKey,
      'x-idempotency-key': randomUUID(),
    },
    body: JSON.stringify({ phone: given.phone, amount: 150, callback_url: given.url }),
  })
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { transaction_id: number }).transaction_id
}
