import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { startTestCore, type TestCore } from '../support/core.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'
import { paymentRequest } from '../support/requests.ts'

describe('law 2: nobody is prompted twice, for a push is committed before it is sent', () => {
  let daraja: Server
  let test: TestCore
  let observer: Database
  /** The states of all payments, as others see them, at the moment when each push arrived. */
  const seen: string[][] = []

  beforeAll(async () => {
    daraja = createServer((request, response) => {
      const answer = async (): Promise<unknown> => {
        if (request.url?.startsWith('/oauth')) return { access_token: 'token', expires_in: '3599' }
        const payments = await observer.selectFrom('payments').select('state').execute()
        seen.push(payments.map(({ state }) => state))
        return { ResponseCode: '0', MerchantRequestID: 'm', CheckoutRequestID: `ws_CO_${seen.length}` }
      }
      void answer().then((json) => response.end(JSON.stringify(json)))
    })
    daraja.listen(0, '127.0.0.1')
    await once(daraja, 'listening')
    const { port } = daraja.address() as AddressInfo
    test = await startTestCore({ config: { daraja: { baseUrl: `http://127.0.0.1:${port}` } } })
    observer = connectDatabase({ databaseUrl: test.databaseUrl, poolSize: 1, log: quietLog })
  })
  afterAll(async () => {
    await observer.destroy()
    await test.stop()
    daraja.close()
    daraja.closeAllConnections()
  })

  it('a payment is `submitting`, for all to see, before the first byte goes to Daraja', async () => {
    await test.clients.payments.requestPayment(paymentRequest(), { headers: test.headers })
    await eventually(() => expect(seen).toEqual([['submitting']]))
  })
})
