import { unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { eventually } from '../support/eventually.ts'
import { addPartner } from '../support/partner.ts'
import { misbehave } from '../support/simulator.ts'
import type { Night } from './play-night.ts'
import type { Stage } from './stage.ts'

const paid = (stage: Stage): string => `${stage.gateway.world.receiver.url}/paid`

/** The states of payments, by their ids. */
const statesOf = async ({ gateway }: Stage, ids: readonly number[]): Promise<string[]> => {
  const rows = await gateway.database
    .selectFrom('payments')
    .select('state')
    .where(
      'id',
      'in',
      ids.map((id) => BigInt(id)),
    )
    .execute()
  return rows.map(({ state }) => state)
}

const expectAll = (states: readonly string[], wanted: RegExp): void => {
  const other = states.find((state) => !wanted.test(state))
  if (other !== undefined) throw new Error(`a payment is ${other}`)
}

const readyz = async (stage: Stage): Promise<string> => {
  const all = [...stage.gateway.serve, ...stage.gateway.dispatch]
  const answers = all.map(async ({ ready }) => (await fetch(`${ready['ops_url']}/readyz`)).text())
  return (await Promise.all(answers)).join()
}

const darajaHoldsOff = (): Night => {
  let ids: number[] = []
  return {
    name: 'Daraja holds us off',
    runbook: ['daraja', 'GatewayDarajaHoldsOff'],
    alert: 'GatewayDarajaHoldsOff',
    cause: async (stage) => {
      await misbehave(stage.gateway.world.simulator, { 'push-spike-arrest': 1 })
      ids = await stage.pay({ url: paid(stage), count: 3 })
      return {}
    },
    steps: [
      'gateway accounts check',
      'journalctl',
      // Safaricom lets the account in again.
      (stage) => misbehave(stage.gateway.world.simulator, {}),
      'gateway payments list --state accepted',
    ],
    sentence: 'daraja_holding_off',
    clicks: [
      { click: 'Show it', at: 'li[data-name="daraja_holding_off"]' },
      { click: 'Check the default account' },
      (stage) => misbehave(stage.gateway.world.simulator, {}),
      { click: 'Payments', at: 'nav' },
    ],
    isMended: async (stage) => expectAll(await statesOf(stage, ids), /successful/),
  }
}

const callbacksStopped = (): Night => {
  let ids: number[] = []
  return {
    name: 'callbacks have stopped',
    runbook: ['callbacks', 'GatewayCallbacksStopped'],
    alert: 'GatewayCallbacksStopped',
    cause: async (stage) => {
      stage.publicWay.block()
      ids = await stage.pay({ url: paid(stage), count: 12 })
      await eventually(async () => expectAll(await statesOf(stage, ids), /submitted|successful/))
      return {}
    },
    steps: ['curl', 'systemctl restart haproxy', 'gateway payments list --open'],
    // It says so after four minutes.
    sentence: null,
    clicks: [{ type: 'curl' }, { type: 'systemctl restart haproxy' }, { click: 'Payments', at: 'nav' }],
    isMended: async (stage) => {
      expectAll(await statesOf(stage, ids), /successful/)
      const before = await calledBack(stage)
      await stage.pay({ url: paid(stage) })
      await eventually(async () => {
        if ((await calledBack(stage)) === before) throw new Error('no callback comes')
      })
    },
  }
}

const calledBack = async ({ gateway }: Stage): Promise<number> => {
  const { rows } = await sql<{ count: number }>`SELECT count(*)::int AS count FROM callbacks`.execute(
    gateway.database,
  )
  return rows[0]?.count ?? 0
}

const natsGone: Night = {
  name: 'NATS is gone',
  runbook: ['queue', 'GatewayQueueAway'],
  alert: 'GatewayQueueAway',
  cause: async ({ nats }) => {
    await nats.stop()
    return {}
  },
  steps: ['curl -s http://127.0.0.1:8082/readyz', 'systemctl start nats-server'],
  sentence: null,
  clicks: [{ type: 'systemctl start nats-server' }],
  isMended: async (stage) => {
    if ((await readyz(stage)).includes('"queue":"away"')) throw new Error('the queue is away')
  },
}

const readOnly: Night = {
  name: 'Postgres is read-only',
  runbook: ['database', 'GatewayDatabaseAway'],
  alert: 'GatewayDatabaseAway',
  cause: async ({ gateway }) => {
    const name = new URL(gateway.databaseUrl).pathname.slice(1)
    await sql`ALTER DATABASE ${sql.id(name)} SET default_transaction_read_only = on`.execute(gateway.database)
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = ${name} AND pid <> pg_backend_pid()`.execute(gateway.database)
    return {}
  },
  steps: [
    'curl -s http://127.0.0.1:8081/readyz',
    'psql "$DATABASE_URL" -Atc',
    'df -h',
    'psql "$DATABASE_URL" -qc "SET default_transaction_read_only = off"',
  ],
  sentence: 'database_away',
  clicks: [{ type: 'psql "$DATABASE_URL" -qc "SET default_transaction_read_only = off"' }],
  isMended: async (stage) => {
    const ids = await stage.pay({ url: paid(stage) })
    await eventually(async () => expectAll(await statesOf(stage, ids), /successful/))
  },
}

const keyLeaked = (): Night => {
  let leaked = ''
  let played = 0
  return {
    name: 'a key has leaked',
    runbook: ['access', 'A key has leaked'],
    alert: null,
    cause: async (stage) => {
      const { database } = stage.gateway
      played += 1
      const name = `Kiosk ${played}`
      const { partnerId, apiKey } = await addPartner(database, { name })
      leaked = apiKey
      await stage.pay({ url: paid(stage), apiKey })
      const { id } = await database
        .selectFrom('api_keys')
        .select('id')
        .where('partner_id', '=', partnerId)
        .executeTakeFirstOrThrow()
      return {
        'the kiosk': name,
        'Revoke its key': 'Revoke first',
        'keys list 7': `keys list ${partnerId}`,
        'keys create 7': `keys create ${partnerId}`,
        '--partner 7': `--partner ${partnerId}`,
        'revoke 12': `revoke ${id}`,
      }
    },
    steps: [
      'gateway partners keys list',
      'gateway partners keys revoke',
      'gateway partners keys create',
      'gateway payments list',
      'gateway audit list',
    ],
    sentence: null,
    clicks: [
      { click: 'the kiosk' },
      { click: 'Revoke' },
      { click: 'Revoke its key' },
      { click: 'A new key' },
      { fill: 'Name', with: 'till' },
      { click: 'Create the key' },
    ],
    isMended: async (stage) => {
      const answer = await stage.pay({ url: paid(stage), apiKey: leaked }).then(
        () => 'it is taken',
        (error: Error) => error.message,
      )
      if (!/^40[13] /.test(answer)) throw new Error(answer)
    },
  }
}

/** The payer who cancels, as the simulator has it. */
const CANCELS = '254700000002'

const paidButFailed = (): Night => {
  let ids: number[] = []
  let played = 0
  return {
    name: 'a payment is paid, and failed here',
    runbook: ['payments', 'A payment is paid and failed here'],
    alert: null,
    cause: async (stage) => {
      ids = await stage.pay({ url: paid(stage), phone: CANCELS })
      await eventually(async () => expectAll(await statesOf(stage, ids), /failed/))
      played += 1
      return {
        'show 17': `show ${ids[0]}`,
        'settle 17': `settle ${ids[0]}`,
        'payment 17': String(ids[0]),
        UE4A11B2C3: `UE4A11B2C${played}`,
      }
    },
    steps: [
      'gateway payments show 17',
      'gateway payments list --receipt',
      'gateway payments settle 17 --outcome successful --receipt UE4A11B2C3 --reason "on the statement of 4 May" --dry-run',
      'gateway payments settle 17',
    ],
    sentence: null,
    clicks: [
      { fill: 'Find by anything', with: 'payment 17' },
      { click: 'Find' },
      { click: 'Settle by hand' },
      { fill: 'M-PESA’s receipt', with: 'UE4A11B2C3' },
      { fill: 'Why', with: 'on the statement of 4 May' },
      { click: 'Show what it would do' },
      { click: 'Settle it' },
    ],
    isMended: async (stage) => {
      expectAll(await statesOf(stage, ids), /successful/)
      const told = stage.gateway.world.receiver.received.filter(
        ({ body }) => JSON.parse(body).transaction_id === ids[0] && JSON.parse(body).status === 'successful',
      )
      if (told.length === 0) throw new Error('its partner has not been told')
    },
  }
}

const diskFull: Night = {
  name: 'the disk of the spool is full',
  runbook: ['callbacks', 'GatewaySpoolDiskFills'],
  alert: 'GatewaySpoolDiskFills',
  cause: async ({ disk }) => {
    if (disk === null) throw new Error('no disk may be mounted')
    // A dump that somebody made beside it; the last bytes are not there any more.
    await writeFile(join(disk, 'gateway.dump'), Buffer.alloc(159_000_000)).catch(async () => {
      await unlink(join(disk, 'gateway.dump'))
      await writeFile(join(disk, 'gateway.dump'), Buffer.alloc(120_000_000))
    })
    return {}
  },
  steps: ['df -h', 'du -xah', 'rm'],
  sentence: 'spool_disk_fills',
  clicks: [{ type: 'du -xah' }, { type: 'rm' }],
  isMended: async (stage) => {
    const free = (await stage.scrape()).find(({ metric }) => metric === 'gateway_spool_free_bytes')
    if ((free?.value ?? 0) < 100_000_000) throw new Error(`${free?.value} bytes are free`)
  },
}

/** Those that take a machine long, or wait for minutes of somebody else's: `NIGHTS=all`. */
export const SLOW_NIGHTS = [keyLeaked(), paidButFailed(), darajaHoldsOff(), callbacksStopped()]

export const SHORT_NIGHTS = [natsGone, readOnly, diskFull]
