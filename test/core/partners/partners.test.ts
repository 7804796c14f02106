import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { setDisabled, setPartnerSettings } from '../../../src/core/partners/change-partner.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addPartner } from '../../support/partner.ts'
import { paymentRequest } from '../../support/requests.ts'

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

const newPartner = async () => {
  const { partnerId, apiKey } = await addPartner(test.database, { name: 'Duka' })
  return { database: test.database, partnerId, headers: { 'x-api-key': apiKey }, actor }
}

const refusalOf = (call: Promise<unknown>) =>
  call.then(
    () => 'accepted',
    (error: unknown) => ConnectError.from(error).rawMessage,
  )

it('a callback_url that leads to none of the partner’s hosts is refused by name', async () => {
  const partner = await newPartner()
  await setPartnerSettings({ ...partner, settings: { callbackHosts: ['shop.co.ke', '*.pay.co.ke'] } })
  const ask = (callbackUrl: string) =>
    refusalOf(
      test.clients.payments.requestPayment(paymentRequest({ callbackUrl }), { headers: partner.headers }),
    )
  expect(await ask('https://shop.co.ke/callback')).toBe('accepted')
  expect(await ask('https://a.pay.co.ke/callback')).toBe('accepted')
  expect(await ask('https://evil.co.ke/callback')).toBe(
    "callback_url must lead to a host of this partner's: shop.co.ke, *.pay.co.ke",
  )
})

it('a payment above the partner’s limit is refused by name', async () => {
  const partner = await newPartner()
  await setPartnerSettings({ ...partner, settings: { maxPaymentKes: 1000 } })
  const ask = (amountKes: number) =>
    refusalOf(
      test.clients.payments.requestPayment(paymentRequest({ amountKes }), { headers: partner.headers }),
    )
  expect(await ask(1000)).toBe('accepted')
  expect(await ask(1001)).toBe("amount_kes must be at most 1000 KES, which is this partner's limit")
})

it('what is not named stays as it was set, and every change is in the audit log with before and after', async () => {
  const partner = await newPartner()
  await setPartnerSettings({ ...partner, settings: { maxPaymentKes: 1000, callbackHosts: ['shop.co.ke'] } })
  await setPartnerSettings({ ...partner, settings: { maxPaymentKes: null, requestsPerSecond: 5 } })
  const rows = await test.database
    .selectFrom('audit')
    .selectAll()
    .where('partner_id', '=', partner.partnerId)
    .orderBy('id')
    .execute()
  expect(rows.map(({ action, actor_name }) => [action, actor_name])).toEqual([
    ['created', 'a test'],
    ['set', 'amina'],
    ['set', 'amina'],
  ])
  const set = {
    callback_hosts: ['shop.co.ke'],
    max_payment_kes: 1000,
    max_daily_kes: null,
    requests_per_second: null,
  }
  expect(rows[2]).toMatchObject({
    before: set,
    after: { ...set, max_payment_kes: null, requests_per_second: 5 },
  })
})

it('a disabled partner is answered PERMISSION_DENIED', async () => {
  const partner = await newPartner()
  await setDisabled({ ...partner, isDisabled: true })
  const call = test.clients.payments.requestPayment(paymentRequest(), { headers: partner.headers })
  const error = await call.then(
    () => null,
    (reason: unknown) => ConnectError.from(reason),
  )
  expect([error?.code, error?.rawMessage]).toEqual([Code.PermissionDenied, 'this partner is disabled'])
})
