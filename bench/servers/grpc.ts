import { startConnectServer } from '../../src/core/server/connect.ts'
import { startGrpcServer } from '../../src/core/server/grpc.ts'
import { openAccepting } from '../support/accepting.ts'

// RequestPayment over native gRPC and over Connect, as `serve` has it: each with a durable commit.
const { payments, apiKey } = await openAccepting()
const services = {
  payments,
  paymentEvents: {},
  status: {},
  darajaCallbacks: {},
  partners: {},
  deliveries: {},
  paymentOperations: {},
  accounts: {},
  tokens: {},
  operators: {},
  approvals: {},
  audit: {},
  overview: {},
  payers: {},
  statements: {},
}
const grpc = await startGrpcServer({ services, host: '127.0.0.1', port: 0 })
const connect = await startConnectServer({ services, host: '127.0.0.1', port: 0 })
const ready = { ready: true, grpc: String(grpc.port), connect: String(connect.port), api_key: apiKey }
process.stdout.write(`${JSON.stringify(ready)}\n`)
