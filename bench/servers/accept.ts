import { randomBytes } from 'node:crypto'
import { createInProcessClients } from '../../src/core/server/in-process.ts'
import { startFacade } from '../../src/facade/server.ts'
import { openAccepting } from '../support/accepting.ts'

// The gateway's way from the socket to the commit and back, over REST.
const { payments, log, wrongSecrets, apiKey } = await openAccepting()
const unused = () => Promise.reject(new Error('not part of this measurement'))
const clients = createInProcessClients({
  payments,
  darajaCallbacks: { receiveStkCallback: unused },
  status: { getStatus: unused },
})
const facade = await startFacade({
  ...clients,
  log,
  randomBytes,
  host: '127.0.0.1',
  port: 0,
  publicUrl: 'http://127.0.0.1:8080',
  deliveryScheduleMs: [0],
  wrongSecrets,
})
process.stdout.write(`${JSON.stringify({ ready: true, url: facade.url, api_key: apiKey })}\n`)
