import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { createCoreMetrics } from '../../src/core/metrics.ts'
import { createKeyUse } from '../../src/core/partners/key-use.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { createAcceptor } from '../../src/core/request/accept.ts'
import { createLimitedAcceptor } from '../../src/core/request/accept-limited.ts'
import { createInProcessClients } from '../../src/core/server/in-process.ts'
import { createCallerChecks } from '../../src/core/services/caller-checks.ts'
import { createPaymentService } from '../../src/core/services/payment-service.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { startFollowing } from '../../src/database/mark/follow.ts'
import { openNumberGuard } from '../../src/database/mark/number-guard.ts'
import { startFacade } from '../../src/facade/server.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readConfig } from '../../src/runtime/config.ts'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import { createLog } from '../../src/runtime/log.ts'
import { testActor } from '../../test/support/actor.ts'
import { testVault } from '../../test/support/vault.ts'

// The gateway's way from the socket to the commit and back, with everything `serve` does on it: routing, authentication,
// every check, idempotency, the durable commit of payment, key and duty, the log line. The loops that come after the answer
// do not run: they belong to other figures, and their simulator would eat the same two cores.
const config = readConfig(process.env, [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'SUBMIT_TTL_MS',
  'PARTNER_REQUESTS_PER_SECOND',
  'PAYER_OPEN_PROMPTS',
  'PAYER_PROMPTS_PER_HOUR',
  'LOG_LEVEL',
])
const log = createLog({ name: 'bench', level: config.LOG_LEVEL })
const folder = mkdtempSync(join(tmpdir(), 'gateway-mark-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const guard = await openNumberGuard({
  folder,
  name: 'bench',
  log,
  clock: systemClock,
  nowMs: () => performance.now(),
})
const database = connectDatabase({
  databaseUrl: config.DATABASE_URL,
  poolSize: config.DATABASE_POOL_SIZE,
  log,
  onConnect: guard.onConnect,
})
startFollowing({ database, guard, log })
const wrongSecrets = createWrongSecrets({ perMinute: 60, nowMs: () => performance.now() })
const keyUse = createKeyUse({ database, clock: systemClock, log })
keyUse.start()
const accepting = { database, submitTtlMs: config.SUBMIT_TTL_MS, numbers: guard.numbersOf(database) }
const payments = createPaymentService({
  database,
  acceptor: createAcceptor(accepting),
  limitedAcceptor: createLimitedAcceptor(accepting),
  checks: createCallerChecks({
    database,
    nowMs: () => performance.now(),
    wrongSecrets,
    partnerRequestsPerSecond: config.PARTNER_REQUESTS_PER_SECOND,
    noteUse: keyUse.note,
    isStarted: () => true,
  }),
  payerLimits: {
    openPrompts: config.PAYER_OPEN_PROMPTS || null,
    promptsPerHour: config.PAYER_PROMPTS_PER_HOUR || null,
  },
  callbackUrlPolicy: { allowHttp: false, allowPrivateNetworks: false },
  log,
  metrics: createCoreMetrics(new Registry(), database),
  onAccepted: () => undefined,
})
const unused = () => Promise.reject(new Error('not part of this measurement'))
const clients = createInProcessClients({
  payments,
  darajaCallbacks: { receiveStkCallback: unused },
})
const facade = await startFacade({
  ...clients,
  log,
  randomBytes,
  host: '127.0.0.1',
  port: 0,
  deliveryScheduleMs: [0],
  wrongSecrets,
})
const { apiKey } = await createPartner({
  actor: testActor,
  database,
  name: 'Bench',
  vault: testVault,
  randomBytes,
})
process.stdout.write(`${JSON.stringify({ ready: true, url: facade.url, api_key: apiKey })}\n`)
