import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readMarks } from '../../src/database/mark/mark-files.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { blocksOf, type PageBlock, toPattern } from './page-blocks.ts'
import { openTerminal, type Terminal } from './terminal.ts'

const PAGE = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8')

const hasTools = ['pg_dump', 'pg_restore', 'createdb', 'dropdb', 'curl'].every(
  (tool) => spawnSync(tool, ['--version']).status === 0,
)

/** The payer's phone: one that is paid soon, and one whose callback comes after 20 delays. */
const PAID = '254712345678'
const SLOW = '254700000021'

describe.skipIf(!hasTools)('the drill of docs/operations.md, Restore a database, typed as it stands', () => {
  let gateway: TestGateway
  let serve: GatewayProcess
  let terminal: Terminal
  let folder: string
  /** Every id that the partner was answered with. */
  const given: number[] = []
  let failed = false

  const pay = async (phone: string): Promise<void> => {
    const answer = await fetch(`${serve.ready['http_url']}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': gateway.apiKey },
      body: JSON.stringify({ phone, amount: 150, callback_url: `${gateway.world.receiver.url}/callback` }),
    })
    expect(answer.status).toBe(200)
    given.push(((await answer.json()) as { transaction_id: number }).transaction_id)
  }

  /** What the copy will not have: a payment whose delivery is due in JetStream, and one whose callback is still to come. */
  const loseSome = async (): Promise<void> => {
    await pay(PAID)
    await eventually(() => expect(serve.log()).toMatch(/"event":"payment_successful","payment_id":2,/))
    await pay(SLOW)
    await eventually(() => expect(serve.log()).toMatch(/"event":"push_accepted","payment_id":3,/))
    // It is a second behind at most, and whoever types the next command by hand takes longer.
    await eventually(async () => expect((await readMarks(gateway.spoolFolder)).mark?.newestPayment).toBe(3n))
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drill-'))
    gateway = await startTestGateway({ callbackDelayMs: 300 })
    serve = await gateway.start('serve')
    // As that of most managed servers, the address says more than where the database is.
    terminal = openTerminal({ ...gateway.settings, DATABASE_URL: `${gateway.databaseUrl}?sslmode=disable` })
    await pay(PAID)
    await eventually(() => expect(serve.log()).toMatch(/"event":"payment_successful","payment_id":1,/))
  })
  afterAll(async () => {
    await terminal?.close()
    await gateway?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const typed = (block: PageBlock): string =>
    block.command
      .replaceAll('gateway.dump', join(folder, 'gateway.dump'))
      .replaceAll('http://127.0.0.1:8081', serve.ready['ops_url'] ?? '')

  const runOnce = async (block: PageBlock): Promise<void> => {
    const printed = await terminal.run(typed(block))
    if (block.prints !== null) expect(printed.trim()).toMatch(toPattern(block.prints))
    // DRILL=1 shows it, for whoever wants to read what it looks like.
    if (process.env['DRILL']) process.stdout.write(`$ ${block.command}${printed}\n`)
  }

  it.each(blocksOf(PAGE).map((block) => [block.command.trim().split('\n').at(-1), block] as const))(
    '%s',
    async (command, block) => {
      if (failed) throw new Error('a command before this one failed')
      failed = true
      await (block.kind === 'until' ? eventually(() => runOnce(block)) : runOnce(block))
      if (command?.startsWith('pg_dump')) await loseSome()
      failed = false
    },
    60_000,
  )

  it('afterwards a payment has a number that none had before, and the lost ones are not found', async () => {
    const before = Math.max(...given)
    await pay(PAID)
    expect(given.at(-1)).toBeGreaterThan(before)
    const lost = await fetch(`${serve.ready['http_url']}/api/v1/mpesa/transactions/3`, {
      headers: { 'x-api-key': gateway.apiKey },
    })
    expect(lost.status).toBe(404)
    expect(serve.log()).not.toContain('"level":"fatal"')
  })
})
