import { copyFile, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'
import { installClient } from '../clients/installed-client.ts'
import { eventually } from '../support/eventually.ts'
import { type ExampleProcess, startExample } from '../support/example-process.ts'
import { findPhp } from '../support/find-php.ts'
import { openTestFolder, type TestFolder } from '../support/folder.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { addPartner, type TestPartner } from '../support/partner.ts'
import { freePort } from '../support/ports.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const EXAMPLES = join(ROOT, 'examples')

const [client, php, python] = await Promise.all([
  installClient(),
  findPhp(),
  findOnPath('python3', searchPathOf(process.env)),
])

/** Null where this machine cannot run it. */
type Shop = {
  name: string
  run:
    | ((port: number) => {
        file: string
        args: string[]
        folder: string
        environment?: Record<string, string>
      })
    | null
}

const SHOPS: readonly Shop[] = [
  {
    name: 'shop.mjs',
    run: client && (() => ({ file: process.execPath, args: ['shop.mjs'], folder: client.path })),
  },
  {
    name: 'shop.py',
    run: python === null ? null : () => ({ file: python, args: ['shop.py'], folder: EXAMPLES }),
  },
  {
    name: 'shop.php',
    run:
      php && ((port) => ({ ...php, args: ['-n', '-S', `127.0.0.1:${port}`, 'shop.php'], folder: EXAMPLES })),
  },
]

type Order = { transaction_id: number | null; status: string; handed_out: number }

let gateway: TestGateway
let partner: TestPartner
let folder: TestFolder

beforeAll(async () => {
  gateway = await startTestGateway({ serve: 1, dispatch: 1 })
  partner = await addPartner(gateway.database, { name: 'Duka la Atieno' })
  folder = await openTestFolder()
  if (client !== null) await copyFile(join(EXAMPLES, 'shop.mjs'), join(client.path, 'shop.mjs'))
})
afterAll(async () => {
  await gateway?.close()
  await folder?.close()
  await client?.close()
})

/** How an answer gets lost on its way. */
type Lose = (response: ServerResponse, body: string) => void

const LOSSES: readonly Lose[] = [
  (response) => response.destroy(),
  (response) =>
    response
      .writeHead(502, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' })
      .end('<html>a load balancer found nobody</html>'),
  (response, body) => {
    response.writeHead(200, { 'content-length': Buffer.byteLength(body) })
    response.write(body.slice(0, 20), () => response.destroy())
  },
]

/** A way to the gateway on which the first answers get lost: what was asked is done. */
const losingFirstAnswers = async (lost: readonly Lose[] = LOSSES): Promise<string> => {
  const losses = [...lost]
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = await fetch(`${gateway.httpUrl}${request.url}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-api-key': String(request.headers['x-api-key']),
        'x-idempotency-key': String(request.headers['x-idempotency-key']),
      },
      body: await text(request),
    })
    const body = await answer.text()
    const lose = losses.shift()
    if (lose === undefined) response.writeHead(answer.status).end(body)
    else lose(response, body)
  }
  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A running shop, and what its owner, a buyer and the gateway say to it. */
const openShop = async ({ name, run }: Shop, port: number, baseUrl: string) => {
  const command = run?.(port)
  if (!command) throw new Error(`${name} cannot be run here`)
  const url = `http://127.0.0.1:${port}`
  const environment = {
    ...command.environment,
    BASE_URL: baseUrl,
    API_KEY: partner.apiKey,
    SIGNING_SECRET: partner.signingSecret,
    CALLBACK_BASE: url,
    STORE: join(folder.path, `${name}.store`),
    PORT: String(port),
  }
  const shop: ExampleProcess = startExample({ ...command, environment })
  onTestFinished(() => shop.close())
  await eventually(async () => expect((await fetch(`${url}/orders/none`)).status).toBe(404))
  const read = async (id: string): Promise<Order> =>
    (await (await fetch(`${url}/orders/${id}`)).json()) as Order
  return {
    close: () => shop.close(),
    said: () => shop.output(),
    read,
    put: (id: string, phone: string) =>
      fetch(`${url}/orders/${id}`, { method: 'PUT', body: JSON.stringify({ phone, amount: 150 }) }),
    /** POSTs an outcome as the gateway does, with what is given laid over it. */
    post: async (
      id: string,
      webhookId: string,
      given: Record<string, unknown>,
      secret = partner.signingSecret,
    ) => {
      const { transaction_id: transactionId } = await read(id)
      const body = JSON.stringify({
        transaction_id: transactionId,
        amount: 150,
        status: 'successful',
        ...given,
      })
      const now = new Date()
      const headers = {
        'webhook-id': webhookId,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(webhookId, now, body),
      }
      return (await fetch(`${url}/payment_callback/${id}`, { method: 'POST', headers, body })).status
    },
  }
}

const promptsFor = async (reference: string): Promise<number> =>
  (await gateway.world.prompts()).filter((one) => one.account_reference === reference).length

const nameOf = ({ name, run }: Shop): string =>
  run === null ? `${name}: NOT RUN, for this machine lacks its language and none can be had` : name

describe.each(SHOPS.map((shop, at) => [nameOf(shop), shop, at] as const))('%s', (_name, shop, at) => {
  const [paid, failed] = [`PAID${at}`, `FAILED${at}`]

  it.skipIf(shop.run === null)('takes each payment once, whatever is repeated', async () => {
    const port = await freePort()
    const before = await openShop(shop, port, await losingFirstAnswers())

    // Its first requests have no answer of the gateway's, and are made again.
    const asked = await before.put(paid, `25471234567${at}`)
    expect(asked.status).toBe(200)
    const order = (await asked.json()) as Order
    await eventually(async () =>
      expect(await before.read(paid)).toMatchObject({
        transaction_id: order.transaction_id,
        status: 'successful',
        handed_out: 1,
      }),
    )
    expect((await (await before.put(paid, `25471234567${at}`)).json()) as Order).toMatchObject({
      transaction_id: order.transaction_id,
    })
    expect(await promptsFor(paid)).toBe(1)

    // What was received before comes again, to a shop that was started anew.
    await before.close()
    const again = await openShop(shop, port, gateway.httpUrl)
    const webhookId = `msg_${order.transaction_id}_successful`
    expect(await again.post(paid, webhookId, {})).toBe(200)
    expect(await again.post(paid, 'msg_other', { status: 'failed' })).toBe(200)
    expect(await again.read(paid)).toMatchObject({ status: 'successful', handed_out: 1 })

    // A failure, and a success after it.
    await again.put(failed, '254700000001')
    await eventually(async () =>
      expect(await again.read(failed)).toMatchObject({ status: 'failed', handed_out: 0 }),
    )
    expect(await again.post(failed, 'msg_forged', {}, `whsec_${Buffer.alloc(32).toString('base64')}`)).toBe(
      401,
    )
    expect(await again.post(failed, 'msg_less', { amount: 1 })).toBe(200)
    expect(await again.post(failed, 'msg_another', { transaction_id: 1_000_000 })).toBe(200)
    expect(await again.read(failed)).toMatchObject({ status: 'failed', handed_out: 0 })
    expect(await again.post(failed, 'msg_late', {})).toBe(200)
    expect(await again.post(failed, 'msg_late', {})).toBe(200)
    expect(await again.read(failed)).toMatchObject({ status: 'successful', handed_out: 1 })

    // Somebody is told of what fits no order, and of nothing else.
    expect(await again.post('nowhere', 'msg_nowhere', { transaction_id: 1_000_001 })).toBe(200)
    await eventually(async () => expect(again.said()).toContain('msg_nowhere'))
    const told = [...again.said().matchAll(/outcome (\S+) fits no order/g)].map(([, id]) => id)
    expect(told).toEqual(['msg_less', 'msg_another', 'msg_nowhere'])
  })
})

describe.each(SHOPS.map((shop, at) => [nameOf(shop), shop, at] as const))('%s', (_name, shop, at) => {
  it.skipIf(shop.run === null)('asks anew for an order that was refused, as it is corrected', async () => {
    const opened = await openShop(shop, await freePort(), gateway.httpUrl)
    const id = `MISTYPED${at}`
    const refused = await opened.put(id, '0712345678')
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('phone')
    expect((await opened.put(id, `25471234568${at}`)).status).toBe(200)
    await eventually(async () =>
      expect(await opened.read(id)).toMatchObject({ status: 'successful', handed_out: 1 }),
    )
  })

  it.skipIf(shop.run === null)(
    'keeps an order that is refused when it is asked for again: its payment may be there',
    async () => {
      const lost: Lose[] = [
        (response) => response.writeHead(503, { 'retry-after': '3600' }).end(),
        (response) => response.writeHead(400).end('{"status":"error","message":"the rules have changed"}'),
      ]
      const opened = await openShop(shop, await freePort(), await losingFirstAnswers(lost))
      const [id, phone] = [`KEPT${at}`, `25471234567${at}`]
      expect((await opened.put(id, phone)).status).toBe(502)
      expect((await opened.put(id, phone)).status).toBe(400)
      expect((await opened.put(id, phone)).status).toBe(200)
      await eventually(async () =>
        expect(await opened.read(id)).toMatchObject({ status: 'successful', handed_out: 1 }),
      )
      expect(await promptsFor(id)).toBe(1)
    },
  )

  it.skipIf(shop.run === null)('has no order without a name', async () => {
    const opened = await openShop(shop, await freePort(), gateway.httpUrl)
    expect((await opened.put('', `25471234569${at}`)).status).toBe(404)
  })
})

/** What the shops have of the examples that verify. */
const VERIFIED = [
  ['shop.py', 'verify.py', /^def is_signed[^]*?\n(?=\n\n)/m],
  ['shop.php', 'verify.php', /^function isSigned[^]*?^}\n/m],
] as const

it.each(VERIFIED)('%s verifies as %s does', async (shop, example, part) => {
  const [ours, its] = await Promise.all([
    readFile(join(EXAMPLES, shop), 'utf8'),
    readFile(join(ROOT, 'docs', 'verify', example), 'utf8'),
  ])
  expect(ours).toContain(part.exec(its)?.[0] ?? 'nothing')
})
