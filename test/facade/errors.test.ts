import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { toErrorAnswer } from '../../src/facade/errors.ts'
import { FieldViolationSchema } from '../../src/gen/mpesa/gateway/v1/errors_pb.js'

const answerTo = (error: unknown) => toErrorAnswer(error, { requestId: 'r-1', maxBodyBytes: 16_384 })

const INTERNAL = {
  status: 500,
  message: 'internal error: quote the request id r-1 when you report it',
  headers: {},
}

/** Every code that means something to a partner; the others are defects. */
const STATUSES = new Map<Code, number>([
  [Code.InvalidArgument, 400],
  [Code.Unauthenticated, 401],
  [Code.PermissionDenied, 403],
  [Code.NotFound, 404],
  [Code.FailedPrecondition, 422],
  [Code.ResourceExhausted, 429],
  [Code.Unavailable, 503],
])

const CODES = Object.values(Code).filter((code) => typeof code === 'number')

describe('an error of the core', () => {
  it.each(CODES)('of code %d has its status, and never 409', (code) => {
    const { status } = answerTo(new ConnectError('why', code))
    expect(status).toBe(STATUSES.get(code) ?? 500)
    expect(status).not.toBe(409)
  })

  it.each(CODES.filter((code) => !STATUSES.has(code)))('of code %d reveals nothing of the inside', (code) => {
    expect(answerTo(new ConnectError('relation "payments" does not exist', code))).toEqual(INTERNAL)
  })

  it.each([Code.ResourceExhausted, Code.Unavailable])('of code %d says when to try again', (code) => {
    expect(answerTo(new ConnectError('why', code, { 'retry-after': '7' })).headers).toEqual({
      'retry-after': '7',
    })
    expect(answerTo(new ConnectError('why', code)).headers).toEqual({ 'retry-after': '1' })
  })

  it.each([
    ['msisdn', 'phone'],
    ['amount_kes', 'amount'],
    ['reference', 'reference'],
    ['callback_url', 'callback_url'],
    ['idempotency_key', 'X-Idempotency-Key'],
    ['payment_id', 'transaction_id'],
    ['page_size', 'limit'],
    ['before', 'before'],
    ['state', 'status'],
  ])('about %s names %s', (field, name) => {
    const violation = { desc: FieldViolationSchema, value: { field, problem: 'must be right' } }
    const error = new ConnectError('something else', Code.InvalidArgument, undefined, [violation])
    expect(answerTo(error)).toEqual({ status: 400, message: `${name} must be right`, headers: {} })
  })

  it('about no field is passed on as it is', () => {
    expect(answerTo(new ConnectError('what is this?', Code.InvalidArgument)).message).toBe('what is this?')
  })
})

describe('any other error', () => {
  it.each([
    new Error('secret'),
    Object.assign(new Error('secret'), { statusCode: 503 }),
    'secret',
    null,
    undefined,
    { status: 200 },
  ])('%s reveals nothing', (error) => {
    expect(answerTo(error)).toEqual(INTERNAL)
  })
})
