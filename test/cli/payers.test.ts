import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { type Running, writeRunning } from '../../src/local/running.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { acceptPayment } from '../support/payments.ts'

/** The number of the payments that tests make. */
const NUMBER = '254712345678'

/** What `npm start` says of itself; only where its database and its spool are matters here. */
const RUNNING: Omit<Running, 'database_url'> = {
  ready: true,
  http_url: 'http://127.0.0.1:8080',
  grpc_url: 'http://127.0.0.1:9090',
  connect_url: 'http://127.0.0.1:9080',
  ops_url: 'http://127.0.0.1:8081',
  dispatcher_ops_url: 'http://127.0.0.1:8082',
  console_url: null,
  console_sign_in_url: null,
  console_ops_url: null,
  simulator_url: null,
  receiver_url: 'http://127.0.0.1:8091',
  nats_url: null,
  spool_dir: null,
  api_key: 'key',
  pids: { start: process.pid },
}

describe('gateway payers erase', () => {
  let own: OpenDatabase
  let database: Database
  let spool: string

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
    spool = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
  })
  afterAll(async () => {
    await own.close()
    await rm(spool, { recursive: true, force: true })
  })

  const run = (words: string[]): Promise<Typed> =>
    typeCommand(words, { DATABASE_URL: own.url, SPOOL_DIR: spool })

  it('says what to do while a payment is open, then blanks the number and counts what it changed', async () => {
    const id = await acceptPayment(database)
    const refused = await run(['payers', 'erase', '--phone', NUMBER])
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(
      `nothing was changed: payment ${id} is open, or its outcome is not delivered yet`,
    )

    const held = await run(['payers', 'export', '--phone', NUMBER, '--json'])
    expect(JSON.parse(held.stdout)).toMatchObject([
      { kind: 'payment', fields: { id: Number(id), msisdn: NUMBER } },
    ])
    expect((await run(['payers', 'export', '--phone', NUMBER])).stdout).toMatch(
      new RegExp(`^msisdn +${NUMBER}$`, 'm'),
    )
    const audited = await run(['audit', 'list', '--subject', 'payer', '--json'])
    expect(JSON.parse(audited.stdout)).toMatchObject([
      { action: 'exported', subject: 'payer 2547*****678' },
      { action: 'exported' },
    ])

    const shown = await run(['payments', 'show', String(id)])
    expect(shown.stdout).toMatch(/^msisdn +2547\*{5}678$/m)
    expect((await run(['payments', 'show', String(id), '--whole'])).stdout).toContain(NUMBER)

    await database.updateTable('payments').set({ state: 'failed' }).where('id', '=', id).execute()
    const erased = await run(['payers', 'erase', '--phone', NUMBER, '--by', 'wanjiku', '--json'])
    expect(erased).toEqual({
      code: 0,
      signal: null,
      stdout: '{"payments":1,"deliveries":0,"callbacks":0}\n',
      stderr: '',
    })
    expect((await run(['payments', 'show', String(id), '--whole'])).stdout).toContain('254000000000')
  }, 120_000)

  it('changes nothing while the spool of this machine holds the number', async () => {
    const path = join(spool, 'a.sealed')
    await writeFile(path, `{"PhoneNumber":${NUMBER}}`)
    const refused = await run(['payers', 'erase', '--phone', NUMBER])
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain(`nothing was changed: ${path} holds callbacks of this payer`)
    await rm(path)
  })

  it('looks beside `npm start` where that one spools', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-data-'))
    const spooled = join(folder, 'elsewhere')
    await mkdir(spooled)
    const path = join(spooled, 'a.aside')
    await writeFile(path, `{"PhoneNumber":${NUMBER}}`)
    writeRunning(folder, { ...RUNNING, database_url: own.url, spool_dir: spooled })
    const words = ['payers', 'erase', '--phone', NUMBER]
    const refused = await typeCommand(words, { DATA_DIR: folder }, '', { cwd: folder })
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain(`nothing was changed: ${path} holds callbacks of this payer`)
    await rm(folder, { recursive: true })
  })

  it('changes nothing when it cannot look into the spool', async () => {
    const file = join(spool, 'no folder')
    await writeFile(file, '')
    const folder = join(spool, 'unreadable')
    await mkdir(folder)
    await symlink('round.sealed', join(folder, 'round.sealed'))
    const environment = { DATABASE_URL: own.url }
    const words = ['payers', 'erase', '--phone', NUMBER]
    const refused = [
      await typeCommand(words, { ...environment, SPOOL_DIR: file }),
      await typeCommand(words, { ...environment, SPOOL_DIR: folder }),
    ]
    expect(refused).toMatchObject([
      { code: 2, stderr: expect.stringMatching(/^nothing was changed: the spool cannot be read: ENOTDIR/) },
      { code: 2, stderr: expect.stringMatching(/^nothing was changed: the spool cannot be read: ELOOP/) },
    ])
    const none = await typeCommand(words, { ...environment, SPOOL_DIR: join(spool, 'not there') })
    expect(none).toMatchObject({ code: 0 })
  })

  it('takes a payment in the place of the number, for the payer of it', async () => {
    const id = await acceptPayment(database)
    const change = { msisdn: '254722000001', state: 'failed' } as const
    await database.updateTable('payments').set(change).where('id', '=', id).execute()
    const payment = ['--payment', String(id)]
    const held = await run(['payers', 'export', ...payment, '--json'])
    expect(JSON.parse(held.stdout)).toMatchObject([
      { kind: 'payment', fields: { id: Number(id), msisdn: '254722000001' } },
    ])
    expect(await run(['payers', 'erase', ...payment])).toMatchObject({
      code: 0,
      stdout: 'The number is blanked in 1 payments, 0 callbacks and 0 deliveries.\n',
    })
    expect(await run(['payers', 'erase', ...payment])).toMatchObject({
      code: 2,
      stderr: `the payer of payment ${id} was erased before\n`,
    })
  }, 120_000)

  it.each([
    [[], 'give --phone NUMBER, or --payment ID for the payer of that payment'],
    [['--phone', NUMBER, '--payment', '1'], 'give --phone or --payment, not both'],
    [['--payment', 'x'], 'the payment must be an id, a positive whole number, not x'],
    [['--payment', '999999'], 'there is no payment 999999'],
  ])(
    'is told who is meant by exactly one of the two: %j',
    async (words, problem) => {
      for (const verb of ['erase', 'export'])
        expect(await run(['payers', verb, ...words])).toMatchObject({ code: 2, stderr: `${problem}\n` })
    },
    120_000,
  )

  it('does not repeat a number that is none', async () => {
    const refused = await run(['payers', 'erase', '--phone', '0712345678'])
    expect(refused).toMatchObject({
      code: 2,
      stderr: '--phone must be 12 digits that start with 2547 or 2541\n',
    })
  })
})
