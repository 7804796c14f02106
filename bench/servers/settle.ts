import { randomBytes } from 'node:crypto'
import { Registry } from 'prom-client'
import { createCallbackIds } from '../../src/core/callback/callback.ts'
import { createCallbackMetrics } from '../../src/core/callback/callback-metrics.ts'
import { startInterpreting } from '../../src/core/callback/interpret.ts'
import { createDatabaseAvailability, createReceiver } from '../../src/core/callback/receive.ts'
import { startReplaying } from '../../src/core/callback/replay.ts'
import { openSpool } from '../../src/core/callback/spool.ts'
import { createCallbackTokens } from '../../src/core/callback/token.ts'
import { createCoreMetrics } from '../../src/core/metrics.ts'
import { createInProcessClients } from '../../src/core/server/in-process.ts'
import { createDarajaCallbackService } from '../../src/core/services/daraja-callback-service.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { startFacade } from '../../src/facade/server.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readConfig } from '../../src/runtime/config.ts'
import { createLog } from '../../src/runtime/log.ts'

// The gateway's way from Daraja's socket to a settled payment with its delivery: the route, the durable bytes, the answer, the
// loops that interpret and replay, the log lines, all in one process as in `serve`. What is done about other payments
// meanwhile belongs to other figures.
const config = readConfig(process.env, [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'SECRET_KEY',
  'SPOOL_DIR',
  'LOG_LEVEL',
])
const log = createLog({ name: 'bench', level: config.LOG_LEVEL })
const database = connectDatabase({
  databaseUrl: config.DATABASE_URL,
  poolSize: config.DATABASE_POOL_SIZE,
  log,
})
const nowMs = () => performance.now()
const newId = createCallbackIds({ clock: systemClock, randomBytes })
const spool = await openSpool({ folder: config.SPOOL_DIR, newId, log })
const metrics = createCoreMetrics(new Registry(), database)
const availability = createDatabaseAvailability({ log, nowMs })
const interpreting = startInterpreting({
  database,
  nowMs,
  log,
  metrics,
  onSettled: () => undefined,
  publishAtOnce: () => null,
  pullsByDefault: false,
})
startReplaying({ database, spool, availability, log, onReceived: interpreting.wake })
const unused = () => Promise.reject(new Error('not part of this measurement'))
const darajaCallbacks = createDarajaCallbackService({
  receiver: createReceiver({ database, spool, availability, patienceMs: 300 }),
  tokens: createCallbackTokens({ secretKey: config.SECRET_KEY, previousSecretKey: null }),
  sources: { mode: 'off', list: [], strangers: { perMinute: 600, bytesPerMinute: 500_000, maxBytes: 4096 } },
  newId,
  clock: systemClock,
  nowMs,
  checks: { checkToken: unused, noteRefused: () => undefined },
  log,
  metrics,
  callbackMetrics: createCallbackMetrics(new Registry(), spool),
  onReceived: interpreting.interpret,
})
const clients = createInProcessClients({
  payments: {
    requestPayment: unused,
    getPayment: unused,
    listPayments: unused,
    batchGetPayments: unused,
    cancelPayment: unused,
    resendOutcome: unused,
    resendOutcomes: unused,
    listPaymentDeliveries: unused,
  },
  darajaCallbacks,
  status: { getStatus: unused },
})
const facade = await startFacade({
  ...clients,
  log,
  randomBytes,
  publicUrl: 'http://127.0.0.1:8080',
  deliveryScheduleMs: [0],
  host: '127.0.0.1',
  port: 0,
})
process.stdout.write(`${JSON.stringify({ ready: true, url: facade.url })}\n`)
