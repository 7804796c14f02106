import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rotateSigningSecret } from '../../src/core/partners/signing-secret.ts'
import { testActor } from '../support/actor.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDelivery, readAttempts, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { findPhp } from '../support/find-php.ts'
import { addPartner } from '../support/partner.ts'
import { freePort } from '../support/ports.ts'
import { testVault } from '../support/vault.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'verify')

const PHP = await findPhp()

type Example = {
  name: string
  /** Null where the machine cannot run it. */
  command: ((port: number) => { file: string; args: string[]; environment?: Record<string, string> }) | null
}

const EXAMPLES: Example[] = [
  { name: 'verify.mjs', command: () => ({ file: process.execPath, args: ['verify.mjs'] }) },
  { name: 'verify.py', command: () => ({ file: 'python3', args: ['verify.py'] }) },
  {
    name: 'verify.php',
    command:
      PHP === null ? null : (port) => ({ ...PHP, args: ['-n', '-S', `127.0.0.1:${port}`, 'verify.php'] }),
  },
]

const nameOf = ({ name, command }: Example): string =>
  command === null ? `${name}: NOT RUN, for this machine has no PHP and none can be had` : name

let testDatabase: TestDatabase
let test: Harness
let partnerId: bigint
let before: string
let current: string

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  test = await startHarness(testDatabase.url)
  const partner = await addPartner(test.database, { name: 'Duka' })
  partnerId = partner.partnerId
  before = partner.signingSecret
  const { database } = test
  const overlap = { overlapMs: 3_600_000, vault: testVault, randomBytes }
  const rotation = await rotateSigningSecret({ actor: testActor, database, partnerId, ...overlap })
  current = rotation.kind === 'rotated' ? rotation.signingSecret : ''
  test.dispatch()
})
afterAll(async () => {
  await test.stop()
  await testDatabase.drop()
})

/** Runs an example with a secret until the end of `use`. */
const withExample = async (
  example: Example,
  secret: string,
  use: (url: string) => Promise<void>,
): Promise<void> => {
  const port = await freePort()
  const command = example.command?.(port)
  if (!command) throw new Error(`${example.name} cannot be run here`)
  const environment = { ...process.env, ...command.environment, SIGNING_SECRET: secret, PORT: String(port) }
  const child: ChildProcess = spawn(command.file, command.args, { cwd: FOLDER, env: environment })
  child.on('error', () => undefined)
  const ended = once(child, 'close').catch(() => undefined)
  try {
    const url = `http://127.0.0.1:${port}/payment_callback`
    await eventually(async () => expect((await fetch(url, { method: 'POST' })).status).toBe(401))
    await use(url)
  } finally {
    child.kill()
    await ended
  }
}

/** POSTs an outcome as the gateway would, at a time and with what else is given laid over it. */
const post = async (
  url: string,
  given: { secret?: string; secondsAgo?: number; headers?: Record<string, string>; body?: string } = {},
): Promise<number> => {
  const body = JSON.stringify({ transaction_id: 102, result_desc: 'Sawa 👍', status: 'successful' })
  const timestamp = String(Math.floor(Date.now() / 1000) - (given.secondsAgo ?? 0))
  const key = Buffer.from((given.secret ?? current).slice('whsec_'.length), 'base64')
  const signature = createHmac('sha256', key).update(`msg_1.${timestamp}.${body}`).digest('base64')
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
      ...given.headers,
    },
    body: given.body ?? body,
  })
  return answer.status
}

const OTHER_SECRET = `whsec_${randomBytes(32).toString('base64')}`

/** What the partner guide shows of each example. */
const SHOWN = [
  ['verify.mjs', 'js', /^export const isSigned = [^]*?^}\n/m],
  ['verify.py', 'python', /^def is_signed[^]*?\n(?=\n\n)/m],
  ['verify.php', 'php', /^function isSigned[^]*?^}\n/m],
] as const

it.each(SHOWN)('the partner guide shows what %s does, as it is', async (name, language, shown) => {
  const [example, guide] = await Promise.all([
    readFile(join(FOLDER, name), 'utf8'),
    readFile(join(FOLDER, '..', 'partner-guide.md'), 'utf8'),
  ])
  const [part = 'nothing'] = shown.exec(example) ?? []
  expect(guide).toContain(`\`\`\`${language}\n${part}\`\`\``)
})

describe.each(EXAMPLES.map((example) => [nameOf(example), example] as const))('%s', (_name, example) => {
  const isMissing = example.command === null

  it.skipIf(isMissing)(
    'takes what a dispatcher delivers, with either of the secrets of a rotation',
    async () => {
      for (const secret of [before, current]) {
        await withExample(example, secret, async (url) => {
          const id = await addDelivery(test.database, url, partnerId)
          await eventually(async () =>
            expect((await readDelivery(test.database, id)).state).toBe('delivered'),
          )
        })
      }
    },
  )

  it.skipIf(isMissing)('refuses what a dispatcher signs with other secrets', async () => {
    await withExample(example, OTHER_SECRET, async (url) => {
      const id = await addDelivery(test.database, url, partnerId)
      await eventually(async () => {
        const [attempt] = await readAttempts(test.database, id)
        expect(attempt?.status).toBe(401)
      })
    })
  })

  it.skipIf(isMissing)('takes what is signed now, and refuses every forgery and replay', async () => {
    await withExample(example, current, async (url) => {
      expect(await post(url)).toBe(200)
      expect(await post(url, { secondsAgo: 290 })).toBe(200)
      const refused = [
        { secondsAgo: 310 },
        { secondsAgo: -310 },
        { secret: OTHER_SECRET },
        { body: '{"transaction_id":102,"status":"successful"}' },
        { headers: { 'webhook-id': 'msg_2' } },
        { headers: { 'webhook-id': '' } },
        { headers: { 'webhook-timestamp': 'now' } },
        { headers: { 'webhook-timestamp': '' } },
        { headers: { 'webhook-signature': '' } },
        { headers: { 'webhook-signature': 'v1,' } },
        { headers: { 'webhook-signature': 'v1' } },
        { headers: { 'webhook-signature': 'v1,AAAA v2,AAAA' } },
      ]
      for (const forgery of refused) expect([forgery, await post(url, forgery)]).toEqual([forgery, 401])
    })
  })
})
