import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/core/daraja/classify-error.ts'
import type { Reply } from '../../../src/core/daraja/client.ts'
import { answered } from './answered.ts'

const error = (status: number, errorCode: string, errorMessage: string): Reply =>
  answered(status, JSON.stringify({ requestId: '1', errorCode, errorMessage }))

const page = (status: number, text: string): Reply => answered(status, text)

const fault = (status: number, faultstring: string): Reply =>
  answered(status, JSON.stringify({ fault: { faultstring } }))

const ROWS: [string, Reply, string][] = [
  ['400.002.02', error(400, '400.002.02', 'Bad Request - Invalid PhoneNumber'), 'refused'],
  ['400.002.05', error(400, '400.002.05', 'Invalid Request Payload'), 'refused'],
  ['400.003.01', error(400, '400.003.01', 'Bad Request'), 'refused'],
  ['400.003.02', error(400, '400.003.02', 'Bad Request'), 'refused'],
  ['404.001.03', error(404, '404.001.03', 'Invalid Access Token'), 'bad_token'],
  ['404.001.04', error(404, '404.001.04', 'Invalid Authentication Header'), 'bad_token'],
  ['404.001.01', error(404, '404.001.01', 'Resource not found'), 'refused'],
  ['404.003.01', error(404, '404.003.01', 'Resource not found'), 'refused'],
  ['405.001', error(405, '405.001', 'Method Not Allowed'), 'refused'],
  ['merchant', error(500, '500.001.1001', 'Merchant does not exist'), 'refused'],
  ['credentials', error(500, '500.001.1001', 'Wrong credentials'), 'refused'],
  [
    'locked',
    error(500, '500.001.1001', 'Unable to lock subscriber, a transaction is already in process'),
    'later',
  ],
  ['other 500.001.1001', error(500, '500.001.1001', 'Something else'), 'unknown'],
  ['spike', error(500, '500.003.02', 'Error Occurred: Spike Arrest Violation'), 'later'],
  ['quota', error(500, '500.003.03', 'Error Occurred: Quota Violation'), 'later'],
  ['429', page(429, ''), 'later'],
  ['429 as a fault', fault(429, 'Rate limit quota violation. Quota limit exceeded'), 'later'],
  ['spike arrest as a fault', fault(500, 'Spike arrest violation. Allowed rate : 10ps'), 'later'],
  ['busy', error(500, '500.003.02', 'System is busy. Please try again in few minutes.'), 'unknown'],
  ['internal', error(500, '500.003.1001', 'Internal Server Error'), 'unknown'],
  ['fault on the token', fault(401, 'Invalid access token'), 'bad_token'],
  ['fault', fault(401, 'Invalid ApiKey for given resource'), 'refused'],
  [
    'no product, worded as a token',
    error(401, '404.001.03', 'Invalid Access Token - Invalid API call as no apiproduct match found'),
    'refused',
  ],
  ['no product as a fault', fault(401, 'Invalid API call as no apiproduct match found'), 'refused'],
  ['fault behind the edge', fault(504, 'Gateway Timeout'), 'unknown'],
  ['fault behind the edge that names a token', fault(500, 'Unexpected token in response'), 'unknown'],
  ['Incapsula 403', page(403, '<html>Request unsuccessful. Incapsula incident ID: 1-2</html>'), 'later'],
  ['Incapsula 503', page(503, '<html>Request unsuccessful. Incapsula incident ID: 1-2</html>'), 'later'],
  ['502', page(502, '<html>Bad gateway</html>'), 'unknown'],
  ['HTML of another edge', page(403, '<html>Forbidden</html>'), 'unknown'],
  ['200 that was not taken', answered(200, '{"ResponseCode":"1"}'), 'unknown'],
  ['200 that is no JSON', page(200, 'OK'), 'unknown'],
  ['empty 400', page(400, ''), 'unknown'],
  ['unknown code', error(400, '400.999.99', 'Never seen'), 'unknown'],
  ['not sent', { kind: 'not_sent', reason: 'ECONNREFUSED', waited: false }, 'later'],
  ['no answer', { kind: 'no_answer', reason: 'TimeoutError' }, 'unknown'],
]

describe('an answer of Daraja without success', () => {
  it.each(ROWS)('%s', (_name, reply, expected) => {
    expect(classifyError(reply).kind).toBe(expected)
  })

  it('makes a payer with an open prompt wait for at least a minute', () => {
    const locked = classifyError(error(500, '500.001.1001', 'Unable to lock subscriber'))
    expect(locked).toMatchObject({ kind: 'later', afterMs: 60_000 })
  })

  it.each([
    ['spike arrest', error(500, '500.003.02', 'Spike arrest violation')],
    ['quota', error(500, '500.003.03', 'Quota violation')],
    ['429', page(429, '')],
    ['the edge', page(503, 'Request unsuccessful. Incapsula incident ID: 1-2')],
    ['no connection', { kind: 'not_sent', reason: 'ECONNREFUSED', waited: false } satisfies Reply],
  ])('holds the whole account after %s', (_name, reply) => {
    expect(classifyError(reply)).toMatchObject({ kind: 'later', concerns: 'whole_account' })
  })

  it('leaves the account alone when no connection was free', () => {
    const waited = classifyError({ kind: 'not_sent', reason: 'no connection was free in time', waited: true })
    expect(waited).toMatchObject({ kind: 'later', concerns: 'this_payer' })
  })

  it('leaves the account alone when one payer has a prompt open', () => {
    const locked = classifyError(error(500, '500.001.1001', 'Unable to lock subscriber'))
    expect(locked).toMatchObject({ concerns: 'this_payer' })
  })

  it('cuts what partners and operators are shown', () => {
    const long = classifyError(error(400, '400.002.02', 'x'.repeat(5_000)))
    expect(long).toMatchObject({ kind: 'refused', message: 'x'.repeat(300) })
  })
})
