import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { sql } from 'kysely'
import { eventually } from '../support/eventually.ts'
import { lastingPort } from '../support/ports.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import type { Night } from './play-night.ts'
import type { Stage } from './stage.ts'

/** More than open an endpoint's breaker. */
const PAYMENTS = 7

/** How many deliveries to a host are in a state, `held` beside those of the table. */
const countAt = async ({ gateway }: Stage, host: string): Promise<{ held: number; delivered: number }> => {
  const { rows } = await sql<{ held: number; delivered: number }>`
    SELECT (SELECT count(*) FROM to_deliver WHERE host = ${host} AND held_at IS NOT NULL)::int AS held,
           (SELECT count(*) FROM deliveries WHERE host = ${host} AND state = 'delivered')::int AS delivered
  `.execute(gateway.database)
  return rows[0] ?? { held: 0, delivered: 0 }
}

/** Lets hours pass for what waits at a host. */
const letPass = async ({ gateway }: Stage, host: string, hours: number): Promise<void> => {
  await sql`UPDATE deliveries SET created_at = created_at - make_interval(hours => ${hours}) WHERE host = ${host}`.execute(
    gateway.database,
  )
}

const untilHeld = (stage: Stage, host: string): Promise<void> =>
  eventually(async () => {
    if ((await countAt(stage, host)).held === 0) throw new Error('nothing is held yet')
  }, 60_000)

const allDelivered = async (stage: Stage, host: string): Promise<void> => {
  const { delivered } = await countAt(stage, host)
  if (delivered < PAYMENTS) throw new Error(`${delivered} of ${PAYMENTS} are delivered`)
}

/** Where a partner of the default one's listens in these nights, with what a runbook calls it. */
const places = (host: string) => ({ 'shop.co.ke': host, '--partner 7': '--partner 1' })

/** It does not listen for a while: its port leads nowhere. */
const endpointDown = (): Night => {
  let port = 0
  let receiver: Receiver | null = null
  const host = (): string => `127.0.0.1:${port}`
  return {
    name: 'a partner’s endpoint is down',
    runbook: ['deliveries', 'GatewayDeliveriesHeld'],
    alert: 'GatewayDeliveriesHeld',
    cause: async (stage) => {
      port = await lastingPort()
      await stage.pay({ url: `http://${host()}/paid`, count: PAYMENTS })
      await untilHeld(stage, host())
      await letPass(stage, host(), 2)
      return places(host())
    },
    steps: [
      'gateway deliveries endpoints --partner 7',
      'gateway deliveries list --partner 7 --state held',
      async () => {
        receiver = await startReceiver({ port })
      },
      'gateway deliveries probe',
    ],
    sentence: 'endpoint_down',
    clicks: [
      { click: 'shop.co.ke' },
      async () => {
        receiver = await startReceiver({ port })
      },
      { click: 'Ask it now' },
    ],
    isMended: async (stage) => {
      await allDelivered(stage, host())
      await receiver?.close()
    },
  }
}

/** It takes connections and answers nothing: the partner needs hours, so it is paused first. */
const endpointHangs = (): Night => {
  let receiver: Receiver | null = null
  const host = (): string => `127.0.0.1:${receiver?.port}`
  return {
    name: 'a partner’s endpoint hangs',
    runbook: ['deliveries', 'GatewayDeliveriesHeld'],
    alert: 'GatewayDeliveriesHeld',
    cause: async (stage) => {
      receiver = await startReceiver()
      receiver.behave(() => undefined)
      await stage.pay({ url: `http://${host()}/paid`, count: PAYMENTS })
      await untilHeld(stage, host())
      await letPass(stage, host(), 2)
      return places(host())
    },
    steps: [
      'gateway deliveries endpoints --partner 7',
      'gateway deliveries list --partner 7 --state held',
      'gateway deliveries pause',
      () => receiver?.behave(answerWith(200)),
      'gateway deliveries resume',
      'gateway deliveries probe',
    ],
    sentence: 'endpoint_down',
    clicks: [
      { click: 'shop.co.ke' },
      { click: 'Pause' },
      () => receiver?.behave(answerWith(200)),
      { click: 'Resume' },
      // When its time has passed meanwhile, it is asked without.
      { click: 'Ask it now', ifShown: true },
    ],
    isMended: async (stage) => {
      await allDelivered(stage, host())
      await receiver?.close()
    },
  }
}

/** It shows a certificate of yesterday, then one of today. */
const certificateExpired = (): Night => {
  let server: Server | null = null
  let port = 0
  const host = (): string => `127.0.0.1:${port}`
  return {
    name: 'its certificate has expired',
    runbook: ['deliveries', 'GatewayCertificatesRefused'],
    alert: 'GatewayCertificatesRefused',
    cause: async (stage) => {
      port = await lastingPort()
      const yesterday = new Date(Date.now() - 12 * 3_600_000)
      const expired = await stage.authority.issue({ hosts: ['127.0.0.1'], notAfter: yesterday })
      server = createServer(expired, (_request, response) => response.end('ok')).listen(port, '127.0.0.1')
      await once(server, 'listening')
      await stage.pay({ url: `https://${host()}/paid`, count: PAYMENTS })
      await untilHeld(stage, host())
      return places(host())
    },
    steps: [
      'gateway deliveries list --error-class tls',
      async ({ authority }) => server?.setSecureContext(await authority.issue({ hosts: ['127.0.0.1'] })),
      'gateway deliveries probe',
      'gateway deliveries retry --state pending',
    ],
    sentence: 'endpoint_down',
    clicks: [
      { click: 'shop.co.ke' },
      async ({ authority }) => server?.setSecureContext(await authority.issue({ hosts: ['127.0.0.1'] })),
      { click: 'Ask it now' },
    ],
    isMended: async (stage) => {
      await allDelivered(stage, host())
      server?.close()
      server?.closeAllConnections()
    },
  }
}

/** They take longest: `NIGHTS=all`. */
export const ENDPOINT_NIGHTS = [endpointDown(), certificateExpired(), endpointHangs()]
