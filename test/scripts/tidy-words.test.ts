import { describe, expect, it } from 'vitest'
import { words } from '../../scripts/tidy/words.ts'

const problemsOf = (path: string, text: string) => words([{ path, text }]).map(({ problem }) => problem)

describe('the words of the glossary', () => {
  it.each([
    ['src/core/callback/receive.ts', 'const webhooks = 1'],
    ['src/core/payments/find.ts', 'const transactionId = row.id'],
    ['src/core/payments/find.ts', "select(['transaction_id'])"],
    ['src/database/schema/payments.ts', '  phone: string'],
    ['src/dispatcher/deliver/post.ts', 'const postCallback = 1'],
    ['src/core/outbox/publish.ts', 'due_callbacks'],
    ['docs/operations.md', 'PostgresQL'],
    ['docs/operations.md', 'when a partner’s callback fails'],
    ['src/core/payments/find.ts', '// the customer waits'],
    ['README.md', 'an idempotence key'],
    ['docs/operations.md', 'what was dead-lettered'],
    ['docs/operations.md', 'Ksh 100'],
    ['docs/operations.md', 'M-Pesa'],
    ['src/queue/connect.ts', '// Jetstream is away'],
    ['docs/operations.md', 'PostGres'],
  ])('%s may not say %s', (path, text) => {
    expect(problemsOf(path, text)).toHaveLength(1)
  })

  it.each([
    [
      'src/dispatcher/deliver/sign.ts',
      "'webhook-id', 'webhook-timestamp', 'webhook-signature', 'webhook-attempt'",
    ],
    ['src/dispatcher/deliver/sign.ts', '// Signed as Standard Webhooks has it.'],
    ['src/database/schema/deliveries.ts', '  webhook_id: string'],
    ['src/core/outbox/enqueue.ts', 'transaction_id: 1, phone: event.msisdn'],
    ['src/core/payments/find.ts', "// the partners' `transaction_id`"],
    ['src/facade/transactions/transaction.ts', 'transaction_id: Number(payment.paymentId)'],
    ['src/core/daraja/stk-push.ts', 'PhoneNumber: Number(push.msisdn)'],
    ['src/core/submit/submit.ts', '// the payer has the phone in hand'],
    [
      'src/dispatcher/deliver/post.ts',
      'row.callback_url; config.CALLBACK_ALLOW_HTTP; parseCallbackUrl(); post_callback_url',
    ],
    ['src/dispatcher/network/guard-address.ts', 'lookup(host, (error, address) => callback(error, address))'],
    ['docs/partner-guide.md', 'the partner callback'],
    ['src/core/daraja/stk-push.ts', "'CustomerPayBillOnline'"],
    ['docs/operations.md', 'Postgres and PostgreSQL, M-PESA, JetStream, gRPC, GRPC_PORT, 100 KES'],
    ['src/core/daraja/parse-callback.ts', "items.get('MpesaReceiptNumber')"],
  ])('%s may say %s', (path, text) => {
    expect(problemsOf(path, text)).toEqual([])
  })

  it('wants files named after the one thing in them', () => {
    expect(problemsOf('src/core/utils.ts', '')).toHaveLength(1)
    expect(problemsOf('src/helpers/one.ts', '')).toHaveLength(1)
    expect(problemsOf('src/core/index.ts', '')).toHaveLength(1)
    expect(problemsOf('src/core/indexing.ts', '')).toEqual([])
  })
})
