import type { GivenPaymentRequest } from '../../src/core/request/payment-request.ts'

/** A request that is right in every field, with what a test wants otherwise. */
export const paymentRequest = (overrides: Partial<GivenPaymentRequest> = {}) => ({
  msisdn: '254712345678',
  amountKes: 150,
  reference: 'INV-2025-001',
  callbackUrl: 'http://127.0.0.1:9999/payment_callback',
  ...overrides,
})
