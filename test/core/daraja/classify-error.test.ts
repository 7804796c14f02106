import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/core/daraja/classify-error.ts'
import type { Reply } from '../../../src/core/daraja/client.ts'

const error = (status: number, errorCode: string, errorMessage: string): Reply => {
  const json = { requestId: '1', errorCode, errorMessage }
  return { kind: 'answered', status, json, text: JSON.stringify(json) }
}

const page = (status: number, text: string): Reply => ({ kind: 'answered', status, json: undefined, text })

const fault = (status: number, faultstring: string): Reply => {
  const json = { fault: { faultstring } }
  return { kind: 'answered', status, json, text: JSON.stringify(json) }
}

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
  ['busy', error(500, '500.003.02', 'System is busy. Please try again in few minutes.'), 'unknown'],
  ['internal', error(500, '500.003.1001', 'Internal Server Error'), 'unknown'],
  ['fault on the token', fault(401, 'Invalid access token'), 'bad_token'],
  ['fault', fault(401, 'Invalid ApiKey for given resource'), 'refused'],
  ['Incapsula 403', page(403, '<html>Request unsuccessful. Incapsula incident ID: 1-2</html>'), 'later'],
  ['Incapsula 503', page(503, '<html>Request unsuccessful. Incapsula incident ID: 1-2</html>'), 'later'],
  ['502', page(502, '<html>Bad gateway</html>'), 'unknown'],
  ['200 that is no JSON', page(200, 'OK'), 'unknown'],
  ['empty 400', page(400, ''), 'unknown'],
  ['unknown code', error(400, '400.999.99', 'Never seen'), 'unknown'],
  ['not sent', { kind: 'not_sent', reason: 'ECONNREFUSED' }, 'later'],
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
})
