import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { testActor } from '../support/actor.ts'
import { eventually } from '../support/eventually.ts'
import { type ExampleProcess, startExample } from '../support/example-process.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { addPartner, type TestPartner } from '../support/partner.ts'
import { freePort } from '../support/ports.ts'
import { installClient, readPackage } from './installed-client.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const client = await installClient()
const folder = client?.path ?? ''
const note = client === null ? ': NOT RUN, for npm cannot install what it depends on here' : ''

/** What TypeScript makes of the package where it is installed. */
const CONSUMER = `
import { createPartnerClient, GatewayError, type Transaction, verifyCallback } from '@mpesa-gateway/client'
import { createServiceClient, resumed } from '@mpesa-gateway/client/grpc'
import { type PaymentEvent, PaymentEventService } from '@mpesa-gateway/client/v1/payment_events'

const gateway = createPartnerClient({ baseUrl: 'https://x.example', apiKey: 'mpg_' })
const ask = async (): Promise<number> => {
  const request = { phone: '254712345678', amount: 150, callback_url: 'https://x.example/callback' }
  return (await gateway.requestPayment(request, { idempotencyKey: 'order-1' })).transaction_id
}
// @ts-expect-error there is no payment without a key of its own
const withoutKey = gateway.requestPayment({ phone: '2547', amount: 1, callback_url: 'https://x.example' }, {})
// @ts-expect-error a filter that is not there finds everything
const misspelt = gateway.listTransactions({ refrence: 'INV' })
const reason = (payment: Transaction): string | undefined => payment.failure?.reason
const amount: number = verifyCallback('whsec_', {}, '').outcome.amount
const watch = async (listen: (event: PaymentEvent) => void): Promise<void> => {
  const events = createServiceClient(PaymentEventService, { baseUrl: 'https://x.example', credentials: { apiKey: 'mpg_' } })
  const messages = resumed((after, signal) => events.watchPayments({ after }, { signal }))
  for await (const message of messages) message.events.forEach(listen)
}
export { amount, ask, GatewayError, misspelt, reason, watch, withoutKey }
`

let gateway: TestGateway
let partner: TestPartner

const start = (file: string, args: string[], environment: Record<string, string>): ExampleProcess => {
  const example = startExample({ file: process.execPath, args: [file, ...args], folder, environment })
  onTestFinished(() => example.close())
  return example
}

describe.skipIf(client === null)(`the client, packed and installed in an empty folder${note}`, () => {
  beforeAll(async () => {
    gateway = await startTestGateway({ serve: 1, dispatch: 1 })
    partner = await addPartner(gateway.database, { name: 'Duka la Njeri' })
  })
  afterAll(async () => {
    await gateway?.close()
    await client?.close()
  })

  it('asks for a payment, is safe to run again, receives the outcome and verifies it', async () => {
    const port = String(await freePort())
    const receiver = start('receive.mjs', [], { SIGNING_SECRET: partner.signingSecret, PORT: port })
    const callbackUrl = `http://127.0.0.1:${port}/payment_callback`
    const post = (headers: Record<string, string>): Promise<number> =>
      fetch(callbackUrl, { method: 'POST', body: '{}', headers }).then(({ status }) => status)
    await eventually(async () => expect(await post({})).toBe(401))

    const around = { BASE_URL: gateway.httpUrl, API_KEY: partner.apiKey, CALLBACK_URL: callbackUrl }
    const words = ['254712345678', '150', 'INV-2025-001']
    const first = start('ask.mjs', words, around)
    expect([await first.ended, first.output()]).toEqual([
      0,
      expect.stringMatching(/^success: transaction (\d+)\ntransaction \1 is \w+\n$/),
    ])
    const [, id] = /transaction (\d+)/.exec(first.output()) ?? []
    await eventually(() => expect(receiver.output()).toBe(`new: transaction ${id} is successful, 150 KES\n`))
    const second = start('ask.mjs', words, around)
    expect([await second.ended, second.output()]).toEqual([
      0,
      `duplicate: transaction ${id}\ntransaction ${id} is successful\n`,
    ])
  })

  it('says what is refused', async () => {
    const around = { BASE_URL: gateway.httpUrl, API_KEY: partner.apiKey, CALLBACK_URL: 'https://127.0.0.1/x' }
    const refused = start('ask.mjs', ['254712345678', '0', 'INV-0'], around)
    expect([await refused.ended, refused.output()]).toEqual([
      1,
      expect.stringMatching(/^400: amount must be /),
    ])
  })

  it('hears of every change over gRPC, from where it was after its replica is gone', async () => {
    const { token } = await createServiceToken({
      database: gateway.database,
      name: 'ledger',
      scopes: ['payments:read'],
      actor: testActor,
      randomBytes,
    })
    const watched = await gateway.start('serve', { HTTP_PORT: '0' })
    const url = watched.ready['grpc_url'] ?? ''
    const watcher = start('watch.mjs', [], { GRPC_URL: url, TOKEN: token })
    const seen = async (reference: string): Promise<void> => {
      const around = {
        BASE_URL: gateway.httpUrl,
        API_KEY: partner.apiKey,
        CALLBACK_URL: gateway.world.receiver.url,
      }
      const asked = start('ask.mjs', ['254712345679', '20', reference], around)
      expect(await asked.ended).toBe(0)
      const [, id] = /transaction (\d+)/.exec(asked.output()) ?? []
      await eventually(() => expect(watcher.output()).toContain(`payment ${id}, change 4: SUCCESSFUL`))
    }
    await seen('WATCH-1')
    await watched.end('SIGKILL')
    await gateway.start('serve', { HTTP_PORT: '0', GRPC_PORT: new URL(url).port })
    await seen('WATCH-2')
    const lines = watcher.output().trim().split('\n')
    expect(new Set(lines).size).toBe(lines.length)
  })

  it('has the types of all that it gives', async () => {
    await writeFile(join(folder, 'consumer.ts'), CONSUMER)
    const options = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ]
    const roots = ['--typeRoots', join(ROOT, 'node_modules', '@types')]
    const compiled = promisify(execFile)(
      join(ROOT, 'node_modules', '.bin', 'tsc'),
      [...options, ...roots, '--ignoreConfig', 'consumer.ts'],
      { cwd: folder },
    ).catch((error: { stdout: string }) => error)
    expect((await compiled).stdout).toBe('')
  })

  it('brings every contract that callers have, and no internal one', () => {
    const contracts = client?.files.flatMap((file) => /v1\/(\w+)_pb\.js$/.exec(file)?.[1] ?? []).sort()
    expect(contracts).toEqual(expect.arrayContaining(['payment_events', 'payments', 'status']))
    expect(contracts).not.toContain('daraja_callbacks')
    expect(client?.files).toEqual(expect.arrayContaining(['README.md', 'dist/client.d.ts']))
  })
})

it('has the version of the gateway, and depends on what the gateway is tested with', async () => {
  const [ours, its] = await Promise.all(
    [ROOT, join(ROOT, 'clients', 'typescript')].map((at) => readPackage(join(at, 'package.json'))),
  )
  expect(its?.version).toBe(ours?.version)
  for (const [name, range] of Object.entries(its?.dependencies ?? {}))
    expect([name, range]).toEqual([name, `^${ours?.dependencies[name]}`])
})
