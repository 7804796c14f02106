import { describe, expect, it } from 'vitest'
import { BadSettings, readConfig, secretsOf } from '../../src/runtime/config.ts'
import { readDispatchConfig } from '../../src/runtime/dispatch-config.ts'
import { SETTINGS, type SettingName } from '../../src/runtime/settings.ts'

const HEX_KEY = 'ab'.repeat(32)

const problemOf = (name: SettingName, value: string | undefined): string => {
  try {
    readConfig({ [name]: value }, [name])
  } catch (error) {
    if (error instanceof BadSettings) return error.message
    throw error
  }
  return ''
}

describe('settings', () => {
  it('have defaults, and an empty variable is one that is not set', () => {
    const config = readConfig({ HTTP_PORT: '' }, [
      'HTTP_PORT',
      'NATS_URL',
      'CALLBACK_ALLOW_HTTP',
      'DELIVERY_SCHEDULE',
    ])
    expect(config).toMatchObject({ HTTP_PORT: 8080, NATS_URL: null, CALLBACK_ALLOW_HTTP: false })
    expect(config.DELIVERY_SCHEDULE.slice(0, 6)).toEqual([0, 2_000, 5_000, 15_000, 45_000, 120_000])
    const seconds = config.DELIVERY_SCHEDULE.reduce((sum, step) => sum + step, 0) / 1000
    expect(seconds).toBe(70 * 3600 + 23 * 60 + 7)
  })

  it('report every problem at once', () => {
    expect(() => readConfig({ HTTP_PORT: 'x' }, ['DATABASE_URL', 'HTTP_PORT'])).toThrow(
      /DATABASE_URL is required: .*\nHTTP_PORT must be a port from 0 to 65535, not "x"/,
    )
  })

  it.each<[SettingName, string]>([
    ['DATABASE_URL', 'mysql://localhost/x'],
    ['DATABASE_URL', 'not a url'],
    ['DATABASE_URL', 'postgres://user:word@first,second/gateway'],
    ['DATABASE_URL', 'postgres://user:word@first:5432,second:5432/gateway'],
    ['DATABASE_URL', 'postgres:///gateway?host=first,second'],
    ['DATABASE_URL', 'postgres://user:word@first%2Csecond/gateway'],
    ['DATABASE_URL', 'postgres://user:word@%zz/gateway'],
    ['DATABASE_POOL_SIZE', '1'],
    ['NATS_URL', 'http://localhost:4222'],
    ['NATS_URL', 'nats://first:4222,second:4222'],
    ['NATS_URL', 'nats://first:4222,'],
    ['NATS_URL', 'nats://first:4222,tls://second:4222'],
    ['NATS_URL', 'nats://first:4222,nats://user:word@second:4222'],
    ['NATS_URL', 'nats://user:word@first:4222,nats://user:other@second:4222'],
    ['NATS_URL', 'nats://user:100%x@first:4222'],
    ['NATS_STREAM', 'a.b'],
    ['NATS_STREAM_REPLICAS', '2'],
    ['HTTP_HOST', 'a b'],
    ['HTTP_PORT', '65536'],
    ['HTTP_PORT', '-1'],
    ['GRPC_PORT', '80.5'],
    ['PUBLIC_URL', 'payments.co.ke'],
    ['PUBLIC_URL', 'https://mpesa.shop.co.ke'],
    ['PUBLIC_URL', 'https://shop.co.ke/SafariCom'],
    ['PUBLIC_URL', 'https://Shop.co.ke'],
    ['PUBLIC_URL', 'https://abc.ngrok.io'],
    ['PUBLIC_URL', 'https:payments.shop.co.ke'],
    ['PUBLIC_URL', 'https://payments.shop.co.ke/?from=daraja'],
    ['PUBLIC_URL', 'https://payments.shop.co.ke/#callbacks'],
    ['PUBLIC_URL', 'https://user:word@payments.shop.co.ke'],
    ['PUBLIC_URL', 'https://payments.shop.co.ke /mobile'],
    ['DARAJA_BASE_URL', 'https:sandbox.safaricom.co.ke'],
    ['DARAJA_BASE_URL', 'https://sandbox.safaricom.co.ke/?grant_type=client_credentials'],
    ['CONSOLE_URL', 'https:console.shop.co.ke'],
    ['CONSOLE_URL', 'https://console.shop.co.ke/ops'],
    ['CONSOLE_URL', 'https://console.shop.co.ke?from=mail'],
    ['CONSOLE_URL', 'https://user:word@console.shop.co.ke'],
    ['DARAJA_SHORTCODE', '17437x'],
    ['DARAJA_TRANSACTION_TYPE', 'PayBill'],
    ['SECRET_KEY', 'ab'],
    ['SUBMIT_TTL_MS', '0'],
    ['DELIVERY_SCHEDULE', '0,2'],
    ['DELIVERY_SCHEDULE', '2s,5s'],
    ['DELIVERY_NAME_SERVERS', 'ns1.shop.co.ke'],
    ['DELIVERY_NAME_SERVERS', '10.0.0.2:53:53'],
    ['DELIVERY_NAME_SERVERS', '10.0.0.2,'],
    ['SIGNAL_URL', 'chat.internal'],
    ['SIGNAL_URL', 'https://me:secret@chat.internal'],
    ['SIGNAL_SECRET', 'whsec_c2hvcnQ='],
    ['SIGNAL_SECRET', HEX_KEY],
    ['SIMULATOR_SEED', '-1'],
    ['SIMULATOR_SEED', '4294967296'],
    ['SIMULATOR_MISBEHAVIOURS', 'push-cut'],
    ['SIMULATOR_MISBEHAVIOURS', 'push-cut=1.5'],
    ['SIMULATOR_MISBEHAVIOURS', 'push-cut=0.1,'],
    ['SIMULATOR_MISBEHAVIOURS', 'push-cut=0.1,push-cut=0.2'],
    ['LOG_LEVEL', 'loud'],
    ['CALLBACK_ALLOW_HTTP', 'yes'],
  ])('%s refuses %j and says what would be right', (name, value) => {
    expect(problemOf(name, value)).toMatch(new RegExp(`^${name} must `))
  })

  it('take name servers with and without a port', () => {
    const { DELIVERY_NAME_SERVERS } = readConfig(
      { DELIVERY_NAME_SERVERS: '10.0.0.2, 10.0.0.3:5353,[fd00::53]:5353' },
      ['DELIVERY_NAME_SERVERS'],
    )
    expect(DELIVERY_NAME_SERVERS).toEqual(['10.0.0.2', '10.0.0.3:5353', '[fd00::53]:5353'])
  })

  it.each([
    'postgres://user:a#b@host/gateway',
    'postgres://user:a/b@host/gateway',
    'postgres://user:a?b@host/x',
  ])('say how a password is written in a URL, where it is what keeps it from being one', (url) => {
    expect(problemOf('DATABASE_URL', url)).toMatch(/, a password's # \/ \? @ % as %23 %2F %3F %40 %25$/)
  })

  it.each([
    'https://console.shop.co.ke/',
    'http://127.0.0.1:8083',
    'http://[::1]:8083',
    'http://localhost:8083',
  ])('take where browsers reach the console: %s', (url) => {
    const { CONSOLE_URL } = readConfig({ CONSOLE_URL: url }, ['CONSOLE_URL'])
    expect(CONSOLE_URL).toBe(url.replace(/\/$/, ''))
  })

  it.each([
    'nats://first:4222',
    'nats://user:word@first:4222, nats://user:word@second:4222,nats://third:4222',
    'tls://first:4222,tls://second:4222',
  ])('take the servers of a NATS: %s', (url) => {
    expect(readConfig({ NATS_URL: url }, ['NATS_URL']).NATS_URL).toBe(url.replaceAll(' ', ''))
  })

  it('never print a secret', () => {
    expect(problemOf('SECRET_KEY', 'hunter2')).not.toContain('hunter2')
    expect(problemOf('DATABASE_URL', 'mysql://user:hunter2@host/x')).not.toContain('hunter2')
    expect(problemOf('NATS_URL', 'nats://first,nats://user:hunter2@second')).not.toContain('hunter2')
  })

  it('read what is right', () => {
    const config = readConfig(
      { PUBLIC_URL: 'https://payments.shop.co.ke/', SECRET_KEY: HEX_KEY, CALLBACK_ALLOW_HTTP: '1' },
      ['PUBLIC_URL', 'SECRET_KEY', 'CALLBACK_ALLOW_HTTP'],
    )
    expect(config.PUBLIC_URL).toBe('https://payments.shop.co.ke')
    expect(config.SECRET_KEY.toString('hex')).toBe(HEX_KEY)
    expect(config.CALLBACK_ALLOW_HTTP).toBe(true)
  })

  it.each(['\r', ' ', '\n', '\t'])('do not take %j around a value for a part of it', (blank) => {
    const around = (value: string): string => `${blank}${value}${blank}`
    const given = {
      PUBLIC_URL: around('https://payments.shop.co.ke'),
      DARAJA_BASE_URL: around('https://sandbox.safaricom.co.ke'),
      DARAJA_CONSUMER_SECRET: around('consumer-secret'),
      SPOOL_DIR: around('/var/spool/gateway'),
      HTTP_PORT: around('8080'),
      NATS_URL: blank,
    }
    expect(
      readConfig(given, [
        'PUBLIC_URL',
        'DARAJA_BASE_URL',
        'DARAJA_CONSUMER_SECRET',
        'SPOOL_DIR',
        'HTTP_PORT',
        'NATS_URL',
      ]),
    ).toEqual({
      PUBLIC_URL: 'https://payments.shop.co.ke',
      DARAJA_BASE_URL: 'https://sandbox.safaricom.co.ke',
      DARAJA_CONSUMER_SECRET: 'consumer-secret',
      SPOOL_DIR: '/var/spool/gateway',
      HTTP_PORT: 8080,
      NATS_URL: null,
    })
    expect(secretsOf(given)).toContain('consumer-secret')
  })

  it('read names with their probabilities', () => {
    const text = 'push-cut=0.1,token-html-503=1,query-cut=.05'
    expect(readConfig({ SIMULATOR_MISBEHAVIOURS: text }, ['SIMULATOR_MISBEHAVIOURS'])).toEqual({
      SIMULATOR_MISBEHAVIOURS: new Map([
        ['push-cut', 0.1],
        ['token-html-503', 1],
        ['query-cut', 0.05],
      ]),
    })
  })

  it('know which of their values the log must mask', () => {
    const environment = {
      DATABASE_URL: 'postgres://gateway:hunter2-and-more@127.0.0.1/gateway',
      NATS_URL: 'nats://a-token@127.0.0.1:4222',
      DARAJA_CONSUMER_SECRET: 'consumer secret',
      HTTP_PORT: '8080',
    }
    expect(secretsOf(environment).filter((secret) => secret !== '')).toEqual([
      'gateway',
      'hunter2-and-more',
      'a-token',
      'consumer secret',
    ])
  })

  it('mask the credentials of every server of a NATS', () => {
    const url = 'nats://user-a:word-a@first:4222,nats://user-b:word-b@second:4222'
    expect(secretsOf({ NATS_URL: url }).filter((secret) => secret !== '')).toEqual([
      'user-a',
      'word-a',
      'user-b',
      'word-b',
    ])
  })

  it('have defaults that their own parsers take', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if ('default' in setting && setting.default !== null) {
        expect(setting.parse.safeParse(setting.default).success, name).toBe(true)
      }
    }
  })
})

describe('where signals go', () => {
  const secrets = [24, 32, 33, 64].map((bytes) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`)
  const needed = { DATABASE_URL: 'postgres://localhost/gateway', SECRET_KEY: HEX_KEY }
  const url = 'http://10.0.0.9:9000/signals'

  it.each(secrets)('is signed with a secret of 24 to 64 bytes: %s', (secret) => {
    const config = readDispatchConfig({
      ...needed,
      SIGNAL_URL: url,
      SIGNAL_SECRET: `${secret}, ${secrets[0]}`,
    })
    expect(config.signals).toEqual({ url, secrets: [secret, secrets[0]] })
  })

  it('is nowhere unless both are set, and neither is set alone', () => {
    expect(readDispatchConfig(needed).signals).toBeNull()
    expect(() => readDispatchConfig({ ...needed, SIGNAL_URL: url })).toThrow('SIGNAL_URL needs SIGNAL_SECRET')
    expect(() => readDispatchConfig({ ...needed, SIGNAL_SECRET: secrets[0] })).toThrow(
      'SIGNAL_SECRET needs SIGNAL_URL',
    )
  })
})
