import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { createLog } from '../../../src/runtime/log.ts'
import { startTestCore } from '../../support/core.ts'
import { type OwnAnswer, openDarajaRelay } from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

const PULL_PATH = '/pulltransactions/v1/query'
const MAX_PAGES = 50
const ROWS = 10

/** A page of what others paid, other receipts on every page. */
const pageAt = (offset: number): OwnAnswer => {
  const rows = Array.from({ length: ROWS }, (_one, at) => ({
    transactionId: `UE4A${String(offset + at).padStart(6, '0')}`,
    trxDate: '2026-05-04T18:04:10Z',
    billreference: 'OTHER',
    amount: '20.00',
  }))
  return { status: 200, json: { ResponseCode: '1000', Response: [rows] } }
}

it('records of more pages than are read are given up, and the log says so each time', async () => {
  const relay = await openDarajaRelay({
    target: () => test.simulator.url,
    answer: ({ path, body }) =>
      path === PULL_PATH
        ? pageAt(Number((JSON.parse(body) as { OffSetValue: string }).OffSetValue))
        : undefined,
  })
  const lines: string[] = []
  const to = new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) })
  const test = await startTestCore({
    log: createLog({ name: 'test', level: 'info', to }),
    config: {
      daraja: { baseUrl: relay.url, uniqueReference: true, pull: { msisdn: null } },
      reconcile: { afterMs: 100 },
    },
  })
  try {
    // Its answer to the push is lost, so that only M-PESA's records know of it.
    const request = paymentRequest({ msisdn: '254700000033' })
    const { paymentId } = await test.clients.payments.requestPayment(request, { headers: test.headers })
    const cut = await eventually(() => {
      const found = lines.filter((line) => line.includes('"pull_cut_short"'))
      expect(found.length).toBeGreaterThanOrEqual(1)
      return found
    })
    expect(JSON.parse(cut[0] ?? '')).toMatchObject({ level: 'warn', rows: MAX_PAGES * ROWS })
    const offsets = relay
      .callsTo(PULL_PATH)
      .map(({ body }) => (JSON.parse(body) as { OffSetValue: string }).OffSetValue)
    expect(offsets.slice(0, MAX_PAGES)).toEqual(
      Array.from({ length: MAX_PAGES }, (_one, page) => String(page * ROWS)),
    )
    expect(offsets).not.toContain(String(MAX_PAGES * ROWS))
    expect(await readPayment(test.database, paymentId)).toMatchObject({ state: 'unconfirmed' })
  } finally {
    await test.stop()
    await relay.close()
  }
})
