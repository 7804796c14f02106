import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/runtime/log.ts'
import { createRedact } from '../../src/runtime/redact.ts'

const KEY = `mpg_${'aB3'.repeat(16)}x`
const TOKEN = '00000000000000ff'.padEnd(48, 'a1')
const SECRET = 'wJalrXUtnFEMI/K7MDENG'

/** Everything that must not be read, and what may stand for it. */
const SECRETS: [what: string, whole: string, shown: string][] = [
  ['a payer’s number', '254712345679', '2547*****679'],
  ['a number as people write it', '0712345679', '0712*****679'],
  ['a number as it is dialled from abroad', '00254712345679', '0025*****679'],
  ['a key', KEY, `${KEY.slice(0, 12)}***`],
  ['a test key', KEY.replace('mpg_', 'mpg_test_'), 'mpg_test_aB3aB3aB***'],
  ['a service token', KEY.replace('mpg_', 'mps_'), 'mps_aB3aB3aB***'],
  ['a signing secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_***'],
  ['a CheckoutRequestID', 'ws_CO_04052026210410237712345679', 'ws_CO_***679'],
  ['a callback token', TOKEN, '***'],
  ['a key in hexadecimal', 'ab'.repeat(32), '***'],
  ['a bearer', 'Bearer c9SQxWWhmdVRlyh0zh8gZDTkubVF', 'Bearer ***'],
  ['basic credentials', 'Basic Y29uc3VtZXI6c2VjcmV0IHNlY3JldA==', 'Basic ***'],
  ['a callback path', '/callbacks/stk/anything', '/callbacks/stk/***'],
  [
    'a password in a URL',
    'postgres://gateway:hunter2@127.0.0.1/gateway',
    'postgres://gateway:***@127.0.0.1/gateway',
  ],
  ['an access token', 'access_token=SGWcJPtNtYNPGm', 'access_token=***'],
  ['a secret of the settings', SECRET, '***'],
  ['a partner’s path', 'https://shop.co.ke:8443/callback/4f1c?of=17', 'https://shop.co.ke:8443/***'],
  ['credentials in a URL', 'https://me:hunter2@shop.co.ke/callback', 'https://***@shop.co.ke/***'],
  ['a partner’s query', 'https://shop.co.ke?key=4f1c', 'https://shop.co.ke?***'],
]

/** What a line holds of `fields`, parsed as JSON. */
const logged = (fields: object): Record<string, unknown> => {
  const lines: string[] = []
  const to = new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) })
  createLog({ name: 'test', level: 'trace', secrets: [SECRET], to }).info(fields)
  return JSON.parse(lines.join('')) as Record<string, unknown>
}

describe('a line of the log', () => {
  it.each(SECRETS)('shows %s in no field whole', (_what, whole, shown) => {
    const line = logged({
      event: 'test',
      a: whole,
      deep: { list: [`x ${whole} and "${whole}"`] },
      [whole]: 1,
    })
    expect(line).toMatchObject({ a: shown, deep: { list: [`x ${shown} and "${shown}"`] }, [shown]: 1 })
  })

  it.each(SECRETS)(
    'shows %s in no error whole: not in its message, its stack, its cause or its fields',
    (_what, whole) => {
      const cause = Object.assign(new Error(`cause ${whole}`), {
        detail: `Failing row contains (1, ${whole})`,
      })
      const line = JSON.stringify(logged({ event: 'test', err: new Error(`about ${whole}`, { cause }) }))
      expect(line).not.toContain(whole)
      expect(line).not.toContain(JSON.stringify(whole).slice(1, -1))
    },
  )

  it('is JSON also where a number was one', () => {
    expect(
      logged({ event: 'test', msisdn: 254712345679, all: [254712345679, 2], last: 254112345679 }),
    ).toMatchObject({
      msisdn: '2547*****679',
      all: ['2547*****679', 2],
      last: '2541*****679',
    })
    expect(logged({ event: 'test', body: '{"phone":254712345679}' })).toMatchObject({
      body: '{"phone":2547*****679}',
    })
  })

  it('shows secrets of JSON inside a string not whole', () => {
    const body = JSON.stringify({ Password: 'MTc0Mzc5cGFzc2tleQ==', Amount: 1 })
    expect(logged({ event: 'test', body })).toMatchObject({ body: '{"Password":"***","Amount":1}' })
  })

  it('holds nothing that a terminal would obey, and says the same', () => {
    const fields = { event: 'test', said: '\u001b[2J\u009b31m\u202e\u007f\u200b', err: new Error('\u009b2J') }
    const lines: string[] = []
    createLog({ name: 'test', level: 'info', to: { write: (line) => lines.push(line) } }).info(fields)
    expect(lines.join('')).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    expect(JSON.parse(lines.join(''))).toMatchObject({ said: fields.said, err: { message: '\u009b2J' } })
  })

  it('keeps what is none of that', () => {
    const fields = {
      event: 'payment_accepted',
      payment_id: 12345678901,
      request_id: '0a1b2c3d4e5f6a7b8c9d0e1f-2x',
      callback_id: '019a2b3c-4d5e-7f80-9123-456789abcdef',
      merchant_request_id: '29115-34620561-1',
      duration_ms: 1.0712345678,
      url: 'https://partner.example.com:8443',
      display_prefix: 'mpg_aB3aB3aB',
    }
    expect(logged(fields)).toMatchObject(fields)
  })
})

it('a secret of the settings that is short may be a word, and is left', () => {
  expect(createRedact({ secrets: ['simulator'] })('the simulator')).toBe('the simulator')
})
