type Fields = {
  msisdn: string
  amountKes: number
  reference?: string | undefined
  callbackUrl: string
  idempotencyKey?: string | undefined
  metadata: Record<string, string>
  expiresInSeconds?: number | undefined
}

/** A request that is right in every field, with what a test wants otherwise. */
export const paymentRequest = (overrides: Partial<Fields> = {}): Fields => ({
  msisdn: '254712345678',
  amountKes: 150,
  reference: 'INV-2025-001',
  callbackUrl: 'http://127.0.0.1:9999/payment_callback',
  metadata: {},
  ...overrides,
})
