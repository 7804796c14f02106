import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { type Facade, type FacadeOptions, startFacade } from '../../src/facade/server.ts'
import { createLog } from '../../src/runtime/log.ts'
import { openApart } from '../support/apart.ts'
import { startTestCore, type TestCore, type TestCoreOverrides } from '../support/core.ts'

/** A facade before a core of its own, on sockets and a database of its own. */
export type TestFacade = TestCore & {
  facade: Facade
  url: string
  /** Every line that the facade and the core logged, at every level. */
  logLines: string[]
}

/** What production asks of a `callback_url`. */
export const PRODUCTION = { allowHttp: false, allowPrivateNetworks: false }

export const STK_PUSH = '/api/v1/mpesa/stk_push'

/** A body that every policy takes; its payer never calls back, so that nothing happens behind a test's back. */
export const paymentBody = (overrides: Record<string, unknown> = {}): string =>
  JSON.stringify({
    phone: '254700000022',
    amount: 150,
    reference: 'INV-2025-001',
    callback_url: 'https://yourapp.example.com/payment_callback',
    ...overrides,
  })

/** True where the suite runs with every facade apart from its core: `FACADE=apart npm test -- test/contract`. */
export const IS_APART = process.env['FACADE'] === 'apart'

/** Opens a facade beside its core, or behind gRPC where `IS_APART`. */
export const openFacade = async (
  overrides: TestCoreOverrides = {},
  facadeOverrides: Partial<
    Pick<FacadeOptions, 'trustedProxies' | 'limits' | 'registry' | 'noteRefused' | 'wrongSecrets'>
  > = {},
): Promise<TestFacade> => {
  const logLines: string[] = []
  const to = new Writable({ write: (chunk, _encoding, done) => done(void logLines.push(String(chunk))) })
  const log = createLog({ name: 'test', level: 'trace', to })
  const core = await startTestCore({ log, ...overrides })
  const apart = IS_APART ? await openApart(core) : null
  const facade = await startFacade({
    ...(apart?.clients ?? core.clients),
    log,
    randomBytes,
    publicUrl: 'http://127.0.0.1:8080',
    deliveryScheduleMs: [0, 2_000, 900_000, 86_400_000],
    host: '127.0.0.1',
    port: core.httpPort,
    ...facadeOverrides,
  })
  const stop = async (): Promise<void> => {
    await facade.close()
    await apart?.close()
    await core.stop()
  }
  return { ...core, facade, url: facade.url, logLines, stop }
}

export type Answer = {
  status: number
  /** By lower-case name. */
  headers: Record<string, string>
  body: string
}

/** Writes bytes on a new connection and reads it to its end: what came back, byte for byte. */
export const exchange = async (port: number, bytes: string | Buffer): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  const answer = readToEnd(socket)
  socket.write(bytes)
  return answer
}

/** Everything that a connection still brings. A connection that is cut has brought what it has. */
export const readToEnd = async (socket: Socket): Promise<string> => {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  // `once` of node:events would reject for a connection that is reset.
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString()
}

/** The answers that one connection brought, none of them to a HEAD. */
export const parseAnswers = (text: string): Answer[] => {
  const answers: Answer[] = []
  for (let rest = text; rest !== ''; ) {
    const [head = '', ...after] = rest.split('\r\n\r\n')
    const [statusLine = '', ...lines] = head.split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':', 1)[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: /, '')]),
    )
    const length = Number(headers['content-length'] ?? 0)
    const body = Buffer.from(after.join('\r\n\r\n'))
    answers.push({
      status: Number(statusLine.split(' ')[1]),
      headers,
      body: body.subarray(0, length).toString(),
    })
    rest = body.subarray(length).toString()
  }
  return answers
}

/** A request in the bytes that we mean: `headers` are lines. The connection ends with its answer. */
export const request = (line: string, headers: readonly string[] = [], body: string | Buffer = ''): Buffer =>
  Buffer.concat([
    Buffer.from(
      `${[`${line} HTTP/1.1`, 'Host: gateway', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`,
    ),
    Buffer.from(body),
  ])

/** A request with a body and its length. */
export const requestWithBody = (line: string, headers: readonly string[], body: string | Buffer): Buffer =>
  request(line, [...headers, `Content-Length: ${Buffer.byteLength(body)}`], body)

/** The one answer to `request`. */
export const ask = async (
  test: TestFacade,
  line: string,
  headers: readonly string[] = [],
  body?: string | Buffer,
): Promise<Answer> => {
  const bytes = body === undefined ? request(line, headers) : requestWithBody(line, headers, body)
  const [answer, ...others] = parseAnswers(await exchange(test.httpPort, bytes))
  if (!answer || others.length > 0) throw new Error('expected exactly one answer')
  return answer
}

/** The headers of a partner's request. */
export const partnerHeaders = (test: TestFacade): string[] => [
  `X-API-KEY: ${test.apiKey}`,
  'Content-Type: application/json',
]

/** Asks for a payment as the partner of the test. */
export const push = (
  test: TestFacade,
  body: string | Buffer,
  headers: readonly string[] = [],
): Promise<Answer> => ask(test, `POST ${STK_PUSH}`, [...partnerHeaders(test), ...headers], body)

/** The exact body of an error. */
export const errorBody = (message: string): string => JSON.stringify({ status: 'error', message })

/** A request for a payment whose connection would stay open after it. */
export const keptOpen = (test: TestFacade, key: string): string =>
  requestWithBody(`POST ${STK_PUSH}`, [...partnerHeaders(test), `X-Idempotency-Key: ${key}`], paymentBody())
    .toString()
    .replace('Connection: close\r\n', '')

/** A new connection, and what will have come on it when it is closed. */
export const openConnection = async (
  test: TestFacade,
): Promise<{ socket: Socket; came: Promise<string> }> => {
  const socket = connect(test.httpPort, '127.0.0.1')
  await once(socket, 'connect')
  return { socket, came: readToEnd(socket) }
}

export const countPayments = async ({ database }: TestFacade): Promise<number> =>
  (await database.selectFrom('payments').select('id').execute()).length
