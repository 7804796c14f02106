import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addDelivery } from '../support/deliveries.ts'
import { openTestFolder } from '../support/folder.ts'
import { addPartner } from '../support/partner.ts'
import { freePort } from '../support/ports.ts'

describe('gateway status', () => {
  let own: OpenDatabase
  let folder: Awaited<ReturnType<typeof openTestFolder>>

  beforeAll(async () => {
    own = await openTestDatabase()
    folder = await openTestFolder()
  })
  afterAll(async () => {
    await folder.close()
    await own.close()
  })

  const type = (words: string[], environment: Record<string, string> = {}): Promise<Typed> =>
    typeCommand(['status', ...words], { DATABASE_URL: own.url, SPOOL_DIR: folder.path, ...environment })

  it('says that all is well, and ends with 0', async () => {
    expect(await type([])).toEqual({
      code: 0,
      signal: null,
      stdout: 'well    All is well. No payment has been asked for yet.\n',
      stderr: '',
    })
  })

  it('says what is wrong and what mends it, and ends with 1 where somebody is to act; the same as JSON', async () => {
    const { database } = own
    const { partnerId } = await addPartner(database, { name: 'Duka\u001B[2J' })
    await addDelivery(database, 'https://shop.co.ke/paid', partnerId)
    await sql`INSERT INTO endpoints (partner_id, host, state, open_until) VALUES (${partnerId}, 'shop.co.ke', 'open', now())`.execute(
      database,
    )
    const typed = await type([])
    expect(typed.code).toBe(1)
    expect(typed.stdout).toMatch(
      /^act {5}1 payment of Duka\\u001b\[2J waits: its endpoint shop\.co\.ke takes no delivery since \d\d:\d\d UTC\.\n {8}gateway deliveries probe --partner 1 --host shop\.co\.ke\n$/,
    )
    const json = await type(['--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout)).toEqual({
      at: expect.any(String),
      last_payment_at: null,
      sentences: [
        expect.objectContaining({
          name: 'endpoint_down',
          severity: 'act',
          count: 1,
          count_is_least: false,
          partner_id: 1,
          host: 'shop.co.ke',
          since: expect.stringMatching(/Z$/),
          command: 'gateway deliveries probe --partner 1 --host shop.co.ke',
          console_path: '/deliveries?partner=1&host=shop.co.ke&state=held',
        }),
      ],
    })
    // Nothing waits: that may wait for the morning.
    await sql`TRUNCATE to_deliver`.execute(database)
    expect(await type([])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^look {4}The endpoint shop/),
    })
  })

  it('says that Postgres is away, and ends with 1', async () => {
    const url = new URL(own.url)
    url.port = String(await freePort())
    const away = await type([], { DATABASE_URL: url.href })
    expect(away).toMatchObject({ code: 1, stderr: '' })
    expect(away.stdout).toMatch(
      /^urgent {2}Postgres is away \(.*ECONNREFUSED.*\): no payment can be asked for/,
    )
  })
})
