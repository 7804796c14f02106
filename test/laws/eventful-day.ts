import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { createCallbackTokens } from '../../src/core/callback/token.ts'
import { makeSecret } from '../../src/core/partners/secret.ts'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { testActor } from '../support/actor.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startGatewayProcess } from '../support/gateway-process.ts'
import type { Behaviour } from '../support/receiver.ts'
import { TESTED_GATEWAY } from '../support/tested-gateway.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

/** What was said by whom in a day in which much went wrong, and everything in it that nobody may read whole. */
export type EventfulDay = { said: Map<string, string>; secrets: Map<string, string> }

/** A payer's number that no other test has. */
const newNumber = (): string => `2547${String(randomInt(100_000_000)).padStart(8, '0')}`

/** The amounts by which the simulator chooses how a payment ends (docs/simulator.md): paid, failed, refused, unknown, twice. */
const AMOUNTS = [
  150, 249_001, 249_002, 249_003, 249_011, 249_012, 249_024, 249_025, 249_031, 249_033, 249_034,
]

const SECRET_SETTINGS = {
  SECRET_KEY: TEST_SECRET_KEY,
  DARAJA_CONSUMER_KEY: randomBytes(24).toString('base64url'),
  DARAJA_CONSUMER_SECRET: randomBytes(24).toString('base64url'),
  DARAJA_PASSKEY: randomBytes(32).toString('hex'),
}

/** Lives the day in processes of its own, at the lowest log level, and listens to all that they say. */
export const liveThroughADay = async (): Promise<EventfulDay> => {
  const secrets = new Map<string, string>(Object.entries(SECRET_SETTINGS))
  const said = new Map<string, string>()
  const simulator = await startGatewayProcess('simulator', { SIMULATOR_PORT: '0', LOG_LEVEL: 'error' })
  const settings = {
    ...SECRET_SETTINGS,
    LOG_LEVEL: 'trace',
    CALLBACK_SOURCES_MODE: 'log',
    CALLBACK_SOURCES: '192.0.2.1',
    DARAJA_BASE_URL: simulator.ready['simulator_url'] ?? '',
  }
  const gateway = await startTestGateway({ serve: 1, dispatch: 1, settings })
  const path = randomBytes(12).toString('hex')
  gateway.world.receiver.behave(answerRudely())
  const day = { gateway, secrets, said, partnerUrl: `${gateway.world.receiver.url}/${path}` }
  try {
    secrets.set('the partner’s key', gateway.apiKey)
    secrets.set('the partner’s path', path)
    await payInManyWays(day)
    await failInside(day)
    await knockWithWrongKeys(day)
    await callBackUninvited(day)
    await typeCommands(day)
    await startWithoutDatabase(day)
    await rememberIds(day)
    await readMetrics(day)
  } finally {
    await Promise.all([...gateway.serve, ...gateway.dispatch, simulator].map((one) => one.end()))
    await gateway.close()
  }
  for (const [index, one] of gateway.serve.entries()) said.set(`serve ${index}`, one.log())
  for (const [index, one] of gateway.dispatch.entries()) said.set(`dispatch ${index}`, one.log())
  said.set('simulator', simulator.log())
  return { said, secrets }
}

type Day = EventfulDay & { gateway: TestGateway; partnerUrl: string }

/** Answers with what was sent, with an error first, and with nothing every third time. */
const answerRudely = (): Behaviour => {
  let count = 0
  return ({ path, body }, response) => {
    count += 1
    if (count % 3 === 0) response.destroy()
    else response.writeHead(count % 3 === 1 ? 500 : 200).end(`${path} ${body}`)
  }
}

/** Asks for a payment, and listens to the answer. */
const ask = async (day: Day, body: unknown, headers: Record<string, string> = {}): Promise<void> => {
  const answer = await fetch(`${day.gateway.httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': day.gateway.apiKey, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  listen(day, 'answers', await answer.text())
}

const listen = ({ said }: Day, who: string, text: string): void => {
  said.set(who, `${said.get(who) ?? ''}${text}\n`)
}

const payer = (day: Day, what: string): string => {
  const number = newNumber()
  day.secrets.set(`the number of ${what}`, number)
  day.secrets.set(`the number of ${what} as people write it`, `0${number.slice(3)}`)
  return number
}

const payInManyWays = async (day: Day): Promise<void> => {
  for (const amount of AMOUNTS) {
    const phone = payer(day, `who pays ${amount}`)
    const body = {
      phone,
      amount,
      reference: `for ${phone}`,
      callback_url: `${day.partnerUrl}?phone=${phone}`,
    }
    await ask(day, body, { 'x-idempotency-key': `key of ${phone}` })
    await ask(day, { ...body, amount: 151 }, { 'x-idempotency-key': `key of ${phone}` })
    await ask(day, { ...body, phone: `+${phone}` })
    await ask(day, JSON.stringify(body).slice(0, -1))
  }
  await eventually(async () => {
    const { rows } = await sql<{ open: bigint }>`
      SELECT count(*) AS open FROM payments WHERE state NOT IN ('successful', 'failed', 'unconfirmed', 'accepted')
    `.execute(day.gateway.database)
    if (rows[0]?.open !== 0n) throw new Error('some are open')
    if (!day.gateway.dispatch[0]?.log().includes('"status":500')) throw new Error('no delivery failed')
  })
}

/** Makes Postgres refuse a payment, and another's outcome, with the whole row in its error. */
const failInside = async (day: Day): Promise<void> => {
  const { database, serve } = day.gateway
  const [refused, unsettled] = [
    payer(day, 'whom Postgres refuses'),
    payer(day, 'whose outcome Postgres refuses'),
  ]
  await sql`ALTER TABLE payments ADD CONSTRAINT refused CHECK (msisdn <> ${sql.lit(refused)})`.execute(
    database,
  )
  await sql`
    ALTER TABLE deliveries ADD CONSTRAINT unsettled CHECK (strpos(body, ${sql.lit(unsettled)}) = 0)
  `.execute(database)
  for (const phone of [refused, unsettled]) await ask(day, { phone, amount: 1, callback_url: day.partnerUrl })
  await eventually(() => {
    for (const event of ['"call_failed"', '"callback_put_off"']) {
      if (!serve[0]?.log().includes(event)) throw new Error(`no ${event} yet`)
    }
  })
}

const knockWithWrongKeys = async (day: Day): Promise<void> => {
  const connectUrl = day.gateway.serve[0]?.ready['connect_url']
  const { token } = await createServiceToken({
    actor: testActor,
    database: day.gateway.database,
    name: 'ledger',
    scopes: ['payments:read'],
    randomBytes,
  })
  day.secrets.set('a service’s token', token)
  const wrongKey = makeSecret('mpg_', randomBytes)
  const wrongToken = makeSecret('mps_', randomBytes)
  day.secrets.set('a key that nobody has', wrongKey)
  day.secrets.set('a token that nobody has', wrongToken)
  const phone = payer(day, 'the one a service asks about')
  await ask(day, { phone, amount: 1, callback_url: day.partnerUrl }, { 'x-api-key': wrongKey })
  await ask(day, { phone, amount: 1, callback_url: day.partnerUrl }, { 'x-api-key': `${wrongKey}x` })
  for (const authorization of [`Bearer ${token}`, `Bearer ${wrongToken}`, `Bearer ${wrongToken}x`]) {
    for (const [method, body] of [
      ['GetPayment', { paymentId: '1' }],
      ['RequestPayment', { msisdn: `x${phone}`, amountKes: 1, callbackUrl: day.partnerUrl }],
      ['ListPayments', { pageSize: -1 }],
    ] as const) {
      const answer = await fetch(`${connectUrl}/mpesa.gateway.v1.PaymentService/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify(body),
      })
      // Who may read payments reads their numbers: what is looked at are the refusals.
      if (!answer.ok) listen(day, 'answers over Connect', await answer.text())
    }
  }
}

const callBackUninvited = async (day: Day): Promise<void> => {
  const token = randomBytes(24).toString('hex')
  day.secrets.set('a token that nobody issued', token)
  const phone = payer(day, 'whom a stranger calls back about')
  for (const body of [`{"PhoneNumber":${phone}}`, `ws_CO_040520262104102377${phone.slice(3)}`]) {
    const answer = await fetch(`${day.gateway.httpUrl}/callbacks/stk/${token}`, { method: 'POST', body })
    listen(day, 'answers', await answer.text())
  }
}

const run = (
  environment: Record<string, string>,
  words: string[],
): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [TESTED_GATEWAY, ...words], {
    env: { PATH: process.env['PATH'], ...environment },
    timeout: 25_000,
  }).catch((error: { stdout: string; stderr: string }) => error)

const typeCommands = async (day: Day): Promise<void> => {
  const { settings } = day.gateway
  const number = [...day.secrets.values()].find((secret) => secret.startsWith('2547')) ?? ''
  const password = randomBytes(12).toString('hex')
  day.secrets.set('the password of the database', password)
  const closed = `postgres://gateway:${password}@127.0.0.1:1/gateway`
  const made = await run(settings, ['partners', 'create', '--name', 'Other', '--json'])
  const shownOnce = JSON.parse(made.stdout) as Record<string, unknown>
  for (const [name, value] of Object.entries(shownOnce)) {
    if (typeof value === 'string') day.secrets.set(`the other partner’s ${name}`, value)
  }
  listen(day, 'commands', made.stderr)
  for (const [others, words] of [
    [{}, ['payments', 'show', '1']],
    [{}, ['payments', 'list', '--json']],
    [{}, ['deliveries', 'list']],
    [{}, ['deliveries', 'show', '1']],
    [{}, ['partners', 'list']],
    [{}, ['payers', 'erase', '--phone', number]],
    [{}, ['payers', 'erase', '--phone', `0${number.slice(3)}`]],
    [{ DATABASE_URL: closed }, ['payments', 'list']],
    [{ DATABASE_URL: `${closed}?x=`, SECRET_KEY: `${SECRET_SETTINGS.SECRET_KEY}0` }, ['serve']],
    [{ DARAJA_PULL_MSISDN: `0${number.slice(3)}` }, ['serve']],
  ] as const) {
    const ended = await run({ ...settings, ...others }, [...words])
    listen(day, 'commands', `${ended.stdout}\n${ended.stderr}`)
  }
}

/** A process that waits for its database says so. */
const startWithoutDatabase = async (day: Day): Promise<void> => {
  const password = randomBytes(12).toString('hex')
  day.secrets.set('the password of another database', password)
  const environment = {
    PATH: process.env['PATH'],
    ...day.gateway.settings,
    HTTP_PORT: '0',
    DATABASE_URL: `postgres://gateway:${password}@127.0.0.1:1/gateway`,
    NATS_URL: `nats://user:${password}@127.0.0.1:1`,
  }
  const child = spawn(process.execPath, [TESTED_GATEWAY, 'serve'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void (text += String(chunk)))
  try {
    await eventually(() => {
      if (!text.includes('"database_awaited"')) throw new Error(text)
    })
  } finally {
    child.kill()
    await once(child, 'exit')
  }
  listen(day, 'a process without a database', text)
}

/** What only Postgres and the keys know: CheckoutRequestIDs and callback tokens. */
const rememberIds = async (day: Day): Promise<void> => {
  const secretKey = Buffer.from(SECRET_SETTINGS.SECRET_KEY, 'hex')
  const tokens = createCallbackTokens({ secretKey, previousSecretKey: null })
  const rows = await day.gateway.database
    .selectFrom('payments')
    .select(['id', 'checkout_request_id'])
    .execute()
  for (const { id, checkout_request_id: checkoutRequestId } of rows) {
    day.secrets.set(`the callback token of payment ${id}`, tokens.issue(id))
    if (checkoutRequestId !== null)
      day.secrets.set(`the CheckoutRequestID of payment ${id}`, checkoutRequestId)
  }
}

const readMetrics = async (day: Day): Promise<void> => {
  for (const one of [...day.gateway.serve, ...day.gateway.dispatch]) {
    for (const page of ['metrics', 'readyz', 'nothing']) {
      listen(day, 'the operations ports', await (await fetch(`${one.ready['ops_url']}/${page}`)).text())
    }
  }
}
