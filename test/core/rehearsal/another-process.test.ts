import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCore } from '../../../src/core/core.ts'
import { createRehearsal } from '../../../src/simulator/rehearse.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { addTestKey } from '../../support/partner.ts'
import { paymentRequest } from '../../support/requests.ts'

/** So far ahead is the clock of the second process, ms: callbacks are not on their way any more. */
const LATER_MS = 20_000

let test: TestCore
beforeAll(async () => {
  // Nobody calls back before the process ends.
  const rehearsal = createRehearsal({ delayMs: 3_000_000 })
  test = await startTestCore({ rehearsal, config: { reconcile: { afterMs: 1_000 } } })
})
afterAll(() => test.stop())

const statesOf = async (ids: readonly bigint[]): Promise<string[]> => {
  const query = test.database.selectFrom('payments').select(['state', 'result_code']).where('id', 'in', ids)
  return (await query.orderBy('id').execute()).map(({ state, result_code }) => `${state} ${result_code}`)
}

it('test payments whose process ended before it called back are settled by the next one', async () => {
  const headers = { 'x-api-key': await addTestKey(test) }
  const ask = async (msisdn: string): Promise<bigint> => {
    const answer = await test.clients.payments.requestPayment(paymentRequest({ msisdn }), { headers })
    return answer.paymentId
  }
  // One that Daraja took, one that is cancelled, and one of which nobody knows whether it did.
  const ids = [await ask('254712345678'), await ask('254700000002'), await ask('254700000034')]
  await eventually(async () =>
    expect(await statesOf(ids)).toEqual(['submitted null', 'submitted null', 'unconfirmed null']),
  )
  await test.core.stop()
  const next = createCore({
    ...test.options,
    rehearsal: createRehearsal({ delayMs: 50 }),
    clock: () => new Date(Date.now() + LATER_MS),
  })
  next.start()
  try {
    await eventually(async () =>
      expect(await statesOf(ids)).toEqual(['successful 0', 'failed 1032', 'successful 0']),
    )
  } finally {
    await next.stop()
  }
  // Settled by its callback, so it has its receipt; and by nothing that contradicts another.
  const [, , unconfirmed] = await test.database
    .selectFrom('payments')
    .select(['receipt', 'checkout_request_id'])
    .where('id', 'in', ids)
    .orderBy('id')
    .execute()
  expect(unconfirmed?.receipt).toMatch(/^XTEST/)
  expect(unconfirmed?.checkout_request_id).toMatch(/^ws_CO_TEST_/)
  expect(await test.database.selectFrom('payment_findings').select('kind').execute()).toEqual([])
})
