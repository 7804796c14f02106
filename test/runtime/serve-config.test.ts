import { describe, expect, it } from 'vitest'
import { BadSettings, namesIn } from '../../src/runtime/config.ts'
import { readServeConfig, SERVE_SETTINGS } from '../../src/runtime/serve-config.ts'

/** What `serve` cannot do without. */
const REQUIRED = {
  DATABASE_URL: 'postgres://user@127.0.0.1/gateway',
  PUBLIC_URL: 'https://payments.shop.co.ke',
  DARAJA_BASE_URL: 'http://127.0.0.1:8090',
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  SECRET_KEY: 'ab'.repeat(32),
}

const read = (environment: Record<string, string> = {}) => readServeConfig({ ...REQUIRED, ...environment })

const problemsOf = (environment: Record<string, string>): string[] => {
  try {
    readServeConfig(environment)
    return []
  } catch (error) {
    return error instanceof BadSettings ? error.message.split('\n') : []
  }
}

describe('the settings of serve', () => {
  it('stand under the names of its parts', () => {
    const { http, submit, callbacks, daraja, logLevel } = read({ HTTP_PORT: '8181', SUBMIT_TTL_MS: '5000' })
    expect({ http, submit, logLevel, publicUrl: callbacks.publicUrl }).toEqual({
      http: { host: '127.0.0.1', port: 8181, trustedProxies: null },
      submit: { ttlMs: 5000, concurrency: 400, overloadAfterMs: 5000 },
      logLevel: 'info',
      publicUrl: 'https://payments.shop.co.ke',
    })
    expect(callbacks.sources.strangers).toEqual({
      perMinute: 10_000,
      bytesPerMinute: 524_288,
      maxBytes: 4096,
    })
    expect(daraja.account).toMatchObject({ consumerKey: 'key', shortcode: '174379' })
  })

  it('are each named once', () => {
    const names = namesIn(SERVE_SETTINGS)
    expect(names).toEqual([...new Set(names)])
  })

  it('report every problem at once', () => {
    const missing = Object.keys(REQUIRED).map((name) => expect.stringContaining(`${name} is required: `))
    const lines = problemsOf({ HTTP_PORT: 'x' })
    expect(lines).toHaveLength(missing.length + 1)
    expect(lines).toEqual(expect.arrayContaining(missing))
    expect(lines).toContain('HTTP_PORT must be a port from 0 to 65535, not "x"')
  })

  it('refuse Pull Transactions without unique references', () => {
    expect(() => read({ DARAJA_PULL: 'on' })).toThrow(
      'DARAJA_PULL needs DARAJA_UNIQUE_REFERENCE on: pulled transactions are matched by it',
    )
    expect(read().daraja.pull).toBeNull()
    const { daraja } = read({ DARAJA_PULL: 'on', DARAJA_UNIQUE_REFERENCE: 'on' })
    expect(daraja.pull).toEqual({ msisdn: null })
  })

  it('refuse callbacks over http where Daraja is the real one, which refuses every push with them', () => {
    const http = { PUBLIC_URL: 'http://payments.shop.co.ke' }
    expect(() => read({ ...http, DARAJA_BASE_URL: 'https://api.safaricom.co.ke' })).toThrow(
      'PUBLIC_URL must start with https:// where DARAJA_BASE_URL is https://api.safaricom.co.ke: Daraja refuses http there',
    )
    for (const url of ['https://sandbox.safaricom.co.ke', 'http://127.0.0.1:8090'])
      expect(read({ ...http, DARAJA_BASE_URL: url }).callbacks.publicUrl).toBe(http.PUBLIC_URL)
  })

  it('have the shortcode paid where no till is named, and a port for operators', () => {
    expect(read().daraja.account.partyB).toBe('174379')
    expect(read({ DARAJA_PARTY_B: '600000' }).daraja.account.partyB).toBe('600000')
    expect(read().operations.port).toBe(8081)
    expect(read({ OPS_PORT: '0' }).operations.port).toBe(0)
  })
})

it.each([
  ['http://127.0.0.1:8090', {}, null, null],
  ['https://api.safaricom.co.ke', {}, 1, 10],
  ['https://sandbox.safaricom.co.ke', {}, 1, 10],
  ['https://api.safaricom.co.ke', { PAYER_OPEN_PROMPTS: '0', PAYER_PROMPTS_PER_HOUR: '0' }, null, null],
  ['https://api.safaricom.co.ke', { PAYER_PROMPTS_PER_HOUR: '5' }, 1, 5],
  ['http://127.0.0.1:8090', { PAYER_OPEN_PROMPTS: '2' }, 2, null],
])('a payer at %s with %j: %s open, %s an hour', (url, set, openPrompts, promptsPerHour) => {
  expect(read({ DARAJA_BASE_URL: url, ...set }).payerLimits).toEqual({ openPrompts, promptsPerHour })
})
