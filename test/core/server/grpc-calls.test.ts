import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'

const CALLS = 300

/** Timers that keep the process alive. */
const countTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

describe('calls over native gRPC whose deadline is far away', () => {
  let test: TestCore
  let grpc: GrpcServer
  beforeAll(async () => {
    test = await startTestCore()
    grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await grpc.close()
    await test.stop()
  })

  const clientOf = () =>
    createClient(PaymentService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpc.port}` }))

  it.each([
    ['answered', () => test.headers],
    ['refused', () => ({})],
  ])('leave no timer behind once they are %s', async (_how, headers) => {
    const client = clientOf()
    const call = () =>
      client.listPayments({}, { headers: headers(), timeoutMs: 600_000 }).catch(() => undefined)
    await call()
    const before = countTimers()
    await Promise.all(Array.from({ length: CALLS }, call))
    await eventually(() => expect(countTimers() - before).toBeLessThan(CALLS / 10))
  })
})
