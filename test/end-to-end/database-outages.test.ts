import { execFile, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import type { StartingProcess } from '../support/gateway-process.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'
import { type OutageDeployment, openOutageDeployment } from './outage-deployment.ts'
import { isPaidAndDelivered, prompted, readiness, refusesPayments, soon } from './outage-steps.ts'

let test: OutageDeployment

beforeAll(async () => {
  test = await openOutageDeployment()
}, 120_000)
afterAll(() => test.close(), 60_000)

const fatalLinesOf = (processes: readonly StartingProcess[]): string[] =>
  processes.flatMap((one) => one.log().split('\n')).filter((line) => line.includes('"level":"fatal"'))

/** `serve` and `dispatch`, which nothing but the test may end. */
const useProcesses = (databaseUrl: () => string) => {
  const used = { processes: [] as StartingProcess[], opsUrls: [] as (string | undefined)[] }
  const ended: string[] = []
  beforeAll(async () => {
    used.processes = (['serve', 'dispatch'] as const).map((command) => {
      const process = test.begin(command, databaseUrl())
      void process.ended.then((how) => ended.push(`${command} ended with ${how}`))
      return process
    })
    const ready = await Promise.all(used.processes.map((one) => one.ready))
    used.opsUrls = ready.map((fields) => fields['ops_url'])
  }, 60_000)
  afterAll(() => Promise.all(used.processes.map((one) => one.end('SIGTERM'))), 60_000)
  return {
    areAway: (why: RegExp) =>
      soon(async () => {
        for (const url of used.opsUrls) {
          const body = { ready: false, database: 'away', database_trouble: expect.stringMatching(why) }
          expect(await readiness(url)).toMatchObject({ status: 503, body })
        }
      }),
    areReady: () =>
      soon(async () => {
        for (const url of used.opsUrls) expect((await readiness(url)).status).toBe(200)
      }),
    expectNoneEnded: () => expect([ended, fatalLinesOf(used.processes)]).toEqual([[], []]),
    log: () => used.processes.map((one) => one.log()).join(''),
  }
}

describe('while Postgres refuses, payments are put off and callbacks kept, by the same processes as before and after', () => {
  const processes = useProcesses(() => test.url.href)

  it.each([
    {
      outage: 'for it is read-only',
      cause: 'ALTER DATABASE gateway SET default_transaction_read_only = on',
      cure: 'ALTER DATABASE gateway RESET default_transaction_read_only',
      says: /read-only/,
    },
    {
      outage: 'for the password was rotated',
      cause: "ALTER ROLE gateway PASSWORD 'second'",
      cure: "ALTER ROLE gateway PASSWORD 'first'",
      says: /password authentication failed/,
    },
    {
      outage: 'for the role may not log in',
      cause: 'ALTER ROLE gateway NOLOGIN',
      cure: 'ALTER ROLE gateway LOGIN',
      says: /not permitted to log in/,
    },
    {
      outage: 'for there are too many connections',
      cause: 'ALTER ROLE gateway CONNECTION LIMIT 0',
      cure: 'ALTER ROLE gateway CONNECTION LIMIT -1',
      says: /too many connections/,
    },
    {
      outage: 'for the database takes no connections',
      cause: 'ALTER DATABASE gateway ALLOW_CONNECTIONS false',
      cure: 'ALTER DATABASE gateway ALLOW_CONNECTIONS true',
      says: /not currently accepting connections/,
    },
    {
      outage: 'for the role was shut out',
      cause:
        'ALTER DATABASE gateway OWNER TO postgres; REVOKE CONNECT ON DATABASE gateway FROM PUBLIC, gateway',
      cure: 'ALTER DATABASE gateway OWNER TO gateway; GRANT CONNECT ON DATABASE gateway TO gateway',
      says: /permission denied/,
    },
  ])(
    '$outage',
    async ({ cause, cure, says }) => {
      const id = await prompted(test)
      await test.admin(cause)
      await test.disconnect()
      await refusesPayments(test)
      expect(await test.callBack(id)).toBe(200)
      await processes.areAway(says)
      expect(await test.spooled()).toBe(1)
      await test.admin(cure)
      // Nobody ends the connections that came to be meanwhile: that they are of no use is the gateway's to find out.
      await prompted(test)
      await isPaidAndDelivered(test, id)
      await processes.areReady()
      processes.expectNoneEnded()
    },
    180_000,
  )

  it('never, for a table that got a column while everybody reads and writes', async () => {
    const id = await prompted(test)
    const readAll = () => Promise.all(Array.from({ length: 20 }, () => test.read(id)))
    const payAll = () => Promise.all(Array.from({ length: 5 }, () => test.pay()))
    const ask = async (): Promise<number[]> => {
      const [read, paid] = await Promise.all([readAll(), payAll()])
      return [...new Set([...read, ...paid.map(({ status }) => status)])]
    }
    expect(await ask()).toEqual([200])
    for (const table of ['payments', 'partners', 'api_keys', 'to_submit', 'partner_accounts', 'deliveries']) {
      const asked = ask()
      await sql`ALTER TABLE ${sql.table(table)} ADD COLUMN later integer`.execute(test.database)
      expect(await asked).toEqual([200])
      expect(await ask()).toEqual([200])
    }
    expect(await test.callBack(id)).toBe(200)
    await isPaidAndDelivered(test, id)
    processes.expectNoneEnded()
    expect(processes.log()).not.toContain('plans_outdated')
  }, 180_000)
})

/** Whether this machine lets us change its routes: as root, with iproute2. */
const canRoute = process.getuid?.() === 0 && spawnSync('ip', ['route', 'show']).status === 0

const ip = async (...words: string[]): Promise<void> => {
  await promisify(execFile)('ip', words)
}

describe('while there is no way to Postgres', () => {
  // An address for documentation (RFC 5737), which nobody has: this machine, for as long as the test runs.
  const address = `192.0.2.${1 + randomInt(254)}`
  let link: TcpLink | undefined

  beforeAll(async () => {
    if (!canRoute) return
    await ip('address', 'add', `${address}/32`, 'dev', 'lo')
    link = await openTcpLink(Number(test.url.port), address)
  })
  afterAll(async () => {
    await link?.close()
    if (canRoute) await ip('address', 'del', `${address}/32`, 'dev', 'lo')
  })

  const urlByLink = (): string => {
    if (!link) return test.url.href
    return Object.assign(new URL(test.url), { hostname: address, port: String(link.port) }).href
  }
  const processes = useProcesses(urlByLink)

  it.skipIf(!canRoute)(
    'all goes on as after any outage (only where routes may be changed: as root, with `ip`)',
    async () => {
      const id = await prompted(test)
      link?.block()
      await ip('address', 'del', `${address}/32`, 'dev', 'lo')
      await ip('route', 'add', 'unreachable', `${address}/32`)
      try {
        await processes.areAway(/EHOSTUNREACH/)
        await refusesPayments(test)
        expect(await test.callBack(id)).toBe(200)
        expect(await test.spooled()).toBe(1)
      } finally {
        await ip('route', 'del', 'unreachable', `${address}/32`)
        await ip('address', 'add', `${address}/32`, 'dev', 'lo')
        link?.open()
      }
      await prompted(test)
      await isPaidAndDelivered(test, id)
      await processes.areReady()
      processes.expectNoneEnded()
    },
    180_000,
  )
})

describe('at the start', () => {
  /** A payment whose payer was prompted by a process that is gone. */
  const promptedBefore = async (): Promise<number> => {
    const before = test.begin('serve')
    await before.ready
    const id = await prompted(test)
    await before.end('SIGTERM')
    return id
  }

  const isAway = (why: RegExp) =>
    soon(async () => {
      const body = { ready: false, database_trouble: expect.stringMatching(why), process: 'starting' }
      expect(await readiness(test.opsUrl)).toMatchObject({ status: 503, body })
    })

  it('`serve` takes callbacks though there is no way to Postgres, and says so', async () => {
    const id = await promptedBefore()
    // Documentation's own addresses (RFC 3849): no network has a way there.
    const url = Object.assign(new URL(test.url), { host: '[2001:db8::1]:5432' })
    const lost = test.begin('serve', url.href)
    // A network that swallows what it has no way for answers nothing instead.
    await isAway(/UNREACH|timeout|no answer/)
    for (let times = 0; times < 3; times += 1) expect(await test.callBack(id)).toBe(200)
    await refusesPayments(test)
    expect(fatalLinesOf([lost])).toEqual([])
    expect(await lost.end('SIGTERM')).toBe(0)
    const found = test.begin('serve')
    await found.ready
    const dispatch = test.begin('dispatch')
    await dispatch.ready
    await isPaidAndDelivered(test, id)
    await Promise.all([found.end('SIGTERM'), dispatch.end('SIGTERM')])
  }, 180_000)

  it('`serve` waits for the password that it was given to work, with callbacks in its spool', async () => {
    const id = await promptedBefore()
    await test.admin("ALTER ROLE gateway PASSWORD 'second'")
    const early = test.begin('serve')
    await isAway(/password authentication failed/)
    expect(await test.callBack(id)).toBe(200)
    await test.admin("ALTER ROLE gateway PASSWORD 'first'")
    await early.ready
    const dispatch = test.begin('dispatch')
    await dispatch.ready
    await isPaidAndDelivered(test, id)
    await Promise.all([early.end('SIGTERM'), dispatch.end('SIGTERM')])
  }, 180_000)

  it.each([
    ['migrate', 'wrong password', { password: 'wrong' }, 'password authentication failed for user "gateway"'],
    [
      'partners list',
      'wrong password',
      { password: 'wrong' },
      'password authentication failed for user "gateway"',
    ],
    ['migrate', 'wrong database', { pathname: '/nowhere' }, 'database "nowhere" does not exist'],
    ['partners list', 'wrong database', { pathname: '/nowhere' }, 'database "nowhere" does not exist'],
  ])('`%s` fails at once with a %s, and says what is wrong', async (words, _what, wrong, why) => {
    const url = Object.assign(new URL(test.url), wrong)
    const typed = await typeCommand(words.split(' '), { DATABASE_URL: url.href, SECRET_KEY: TEST_SECRET_KEY })
    expect(typed).toMatchObject({ code: 1, stdout: '', stderr: `the database cannot be reached: ${why}\n` })
  })

  it('`partners create` says that the database is read-only', async () => {
    await test.admin('ALTER DATABASE gateway SET default_transaction_read_only = on')
    const given = { DATABASE_URL: test.url.href, SECRET_KEY: TEST_SECRET_KEY }
    const typed = await typeCommand(['partners', 'create', '--name', 'Duka'], given)
    await test.admin('ALTER DATABASE gateway RESET default_transaction_read_only')
    expect(typed).toMatchObject({ code: 1, stdout: '' })
    expect(typed.stderr).toMatch(
      /^the database cannot do it now: cannot execute \w+ in a read-only transaction\n$/,
    )
  })
})
