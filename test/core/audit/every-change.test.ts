import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCommands } from '../../../src/cli/gateway.ts'
import { createServiceToken, SCOPES } from '../../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { DeliveryService } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import { testActor } from '../../support/actor.ts'
import { typeCommand } from '../../support/command.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addDelivery } from '../../support/deliveries.ts'
import { acceptPayment } from '../../support/payments.ts'
import { TEST_SECRET_KEY } from '../../support/vault.ts'

/** What is changed, and how: over gRPC as a service, or by a command. New for each change. */
type Given = {
  partners: Client<typeof PartnerService>
  deliveries: Client<typeof DeliveryService>
  type: (...words: string[]) => Promise<void>
  partnerId: bigint
  keyId: bigint
  tokenId: bigint
  deliveryId: bigint
  paymentId: bigint
}

type Change = {
  action: string
  /** Brings about what the change needs, before its lines are counted. */
  ready?: (given: Given) => Promise<unknown>
  /** The method that does it, where there is one. */
  method?: string
  call?: (given: Given) => Promise<unknown>
  command: string
  words: (given: Given) => string[]
}

const HOST = 'shop.co.ke'
const partnerOf = ({ partnerId }: Given): string[] => [String(partnerId)]
const endpointOf = ({ partnerId }: Given): string[] => ['--partner', String(partnerId), '--host', HOST]
const accountOf = ({ partnerId }: Given): string[] => [
  '--partner',
  String(partnerId),
  '--shortcode',
  '600111',
]

/** Every change by hand, and what is written down of it. Payments' own way is no such thing. */
const CHANGES: readonly Change[] = [
  {
    action: 'created',
    method: 'createPartner',
    call: ({ partners }) => partners.createPartner({ name: 'Shule' }),
    command: 'partners create',
    words: () => ['--name', 'Shule'],
  },
  {
    action: 'set',
    method: 'setPartnerSettings',
    call: ({ partners, partnerId }) =>
      partners.setPartnerSettings({ partnerId, settings: { requestsPerSecond: 50 } }),
    command: 'partners set',
    words: (given) => [...partnerOf(given), '--rate', '50'],
  },
  {
    action: 'disabled',
    method: 'disablePartner',
    call: ({ partners, partnerId }) => partners.disablePartner({ partnerId }),
    command: 'partners disable',
    words: partnerOf,
  },
  {
    action: 'enabled',
    ready: ({ partners, partnerId }) => partners.disablePartner({ partnerId }),
    method: 'enablePartner',
    call: ({ partners, partnerId }) => partners.enablePartner({ partnerId }),
    command: 'partners enable',
    words: partnerOf,
  },
  {
    action: 'created',
    method: 'createKey',
    call: ({ partners, partnerId }) => partners.createKey({ partnerId, name: 'till' }),
    command: 'partners keys create',
    words: (given) => [...partnerOf(given), '--name', 'till'],
  },
  {
    action: 'rotated',
    method: 'rotateKey',
    call: ({ partners, keyId }) => partners.rotateKey({ keyId }),
    command: 'partners keys rotate',
    words: ({ keyId }) => [String(keyId)],
  },
  {
    action: 'revoked',
    method: 'revokeKey',
    call: ({ partners, keyId }) => partners.revokeKey({ keyId }),
    command: 'partners keys revoke',
    words: ({ keyId }) => [String(keyId)],
  },
  {
    action: 'rotated',
    method: 'rotateSigningSecret',
    call: ({ partners, partnerId }) => partners.rotateSigningSecret({ partnerId }),
    command: 'partners signing-secret rotate',
    words: partnerOf,
  },
  {
    action: 'retried',
    method: 'retryDeliveries',
    call: ({ deliveries, deliveryId }) => deliveries.retryDeliveries({ deliveryIds: [deliveryId] }),
    command: 'deliveries retry',
    words: ({ deliveryId }) => [String(deliveryId)],
  },
  {
    action: 'cancelled',
    method: 'cancelDeliveries',
    call: ({ deliveries, deliveryId }) =>
      deliveries.cancelDeliveries({ deliveryIds: [deliveryId], reason: 'a test' }),
    command: 'deliveries cancel',
    words: ({ deliveryId }) => [String(deliveryId), '--reason', 'a test'],
  },
  {
    action: 'paused',
    method: 'pauseEndpoint',
    call: ({ deliveries, partnerId }) => deliveries.pauseEndpoint({ partnerId, host: HOST }),
    command: 'deliveries pause',
    words: endpointOf,
  },
  {
    action: 'resumed',
    ready: ({ deliveries, partnerId }) => deliveries.pauseEndpoint({ partnerId, host: HOST }),
    method: 'resumeEndpoint',
    call: ({ deliveries, partnerId }) => deliveries.resumeEndpoint({ partnerId, host: HOST }),
    command: 'deliveries resume',
    words: endpointOf,
  },
  {
    action: 'created',
    command: 'tokens create',
    words: () => ['--name', 'desk', '--scope', 'payments:read'],
  },
  { action: 'revoked', command: 'tokens revoke', words: ({ tokenId }) => [String(tokenId)] },
  // Before there is an account: what is sealed again has a line for each table.
  { action: 'resealed', command: 'secrets rotate', words: () => [] },
  { action: 'set', command: 'accounts create', words: accountOf },
  {
    action: 'ended',
    ready: (given) => given.type('accounts', 'create', ...accountOf(given)),
    command: 'accounts end',
    words: ({ partnerId }) => ['--partner', String(partnerId)],
  },
  {
    action: 'settled',
    command: 'payments settle',
    words: ({ paymentId }) => [String(paymentId), '--outcome', 'failed', '--reason', 'a test'],
  },
  { action: 'erased', command: 'payers erase', words: () => ['--phone', '254799999999'] },
  { action: 'restored', command: 'restored', words: () => ['--yes'] },
]

/** Methods and commands that change nothing by hand. */
const READING_METHODS = [
  'listPartners',
  'getPartner',
  'listKeys',
  'listDeliveries',
  'getDelivery',
  'listEndpoints',
]
const OTHER_COMMANDS = [
  'serve',
  'dispatch',
  'migrate',
  'simulator',
  'partners list',
  'partners show',
  'partners keys list',
  'partners signing-secret list',
  'partners test-callback',
  'tokens list',
  'accounts list',
  'accounts check',
  'payments show',
  'payments list',
  'deliveries list',
  'deliveries show',
  'deliveries endpoints',
  'audit list',
]

/** The words of each command that has none below it. */
const leavesOf = (command: Command, above: string[] = []): string[] => {
  const words = [...above, command.name()]
  return command.commands.length === 0
    ? [words.join(' ')]
    : command.commands.flatMap((below) => leavesOf(below, words))
}

it('every method of a service that changes something is known here: a new one is to be added', () => {
  const methods = [PartnerService, DeliveryService].flatMap((service) => Object.keys(service.method))
  const known = CHANGES.flatMap(({ method }) => method ?? [])
  expect(methods.toSorted()).toEqual([...known, ...READING_METHODS].toSorted())
})

it('every command that changes something is known here: a new one is to be added', async () => {
  const words = (await loadCommands(undefined, {})).flatMap((command) => leavesOf(command))
  const known = CHANGES.map(({ command }) => command)
  expect(words.toSorted()).toEqual([...known, ...OTHER_COMMANDS].toSorted())
})

describe('what is changed by hand', { timeout: 60_000 }, () => {
  let test: TestCore
  let grpc: GrpcServer
  let service: Pick<Given, 'partners' | 'deliveries'>

  beforeAll(async () => {
    test = await startTestCore()
    grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
    const token = await newToken('desk')
    const transport = asAnne(`http://127.0.0.1:${grpc.port}`, token)
    service = {
      partners: createClient(PartnerService, transport),
      deliveries: createClient(DeliveryService, transport),
    }
  })
  afterAll(async () => {
    await grpc.close()
    await test.stop()
  })

  const newToken = (name: string): Promise<string> =>
    createServiceToken({ database: test.database, name, scopes: SCOPES, actor: testActor, randomBytes })

  const asAnne = (baseUrl: string, token: string): Transport =>
    createGrpcTransport({
      baseUrl,
      interceptors: [
        (next) => (request) => {
          request.header.set('authorization', `Bearer ${token}`)
          request.header.set('x-operator', 'anne')
          return next(request)
        },
      ],
    })

  /** Under another key than the core has, so that there is something to be sealed again. */
  const type = async (...words: string[]): Promise<void> => {
    const typed = await typeCommand([...words, '--by', 'anne'], {
      DATABASE_URL: test.databaseUrl,
      SECRET_KEY: 'cd'.repeat(32),
      SECRET_KEY_PREVIOUS: TEST_SECRET_KEY,
      SPOOL_DIR: join(tmpdir(), 'a spool that is not there'),
      ACCOUNT_CONSUMER_KEY: 'key',
      ACCOUNT_CONSUMER_SECRET: 'secret',
      ACCOUNT_PASSKEY: 'passkey',
    })
    expect(typed).toMatchObject({ code: 0, stderr: '' })
  }

  const lastId = async (table: 'audit' | 'service_tokens'): Promise<bigint> => {
    const { rows } = await sql<{ id: bigint }>`
      SELECT coalesce(max(id), 0) AS id FROM ${sql.table(table)}
    `.execute(test.database)
    return rows[0]?.id ?? 0n
  }

  const prepare = async (change: Change): Promise<Given> => {
    const { database } = test
    const { partners, deliveries } = service
    const { partnerId } = await partners.createPartner({ name: 'Duka' })
    const { keys } = await partners.listKeys({ partnerId })
    await newToken('till')
    const given = {
      partners,
      deliveries,
      type,
      partnerId,
      keyId: keys[0]?.keyId ?? 0n,
      tokenId: await lastId('service_tokens'),
      deliveryId: await addDelivery(database, `https://${HOST}/told`, partnerId),
      paymentId: await acceptUntouched(),
    }
    await change.ready?.(given)
    return given
  }

  /** A payment that no loop of the core takes. */
  const acceptUntouched = (): Promise<bigint> =>
    test.database.transaction().execute(async (transaction) => {
      const paymentId = await acceptPayment(transaction)
      await sql`DELETE FROM to_submit WHERE payment_id = ${paymentId}`.execute(transaction)
      return paymentId
    })

  /** The one line that is written while the change is made. */
  const lineOf = async (change: Change, make: (given: Given) => Promise<unknown>) => {
    const given = await prepare(change)
    const before = await lastId('audit')
    await make(given)
    const lines = await test.database.selectFrom('audit').selectAll().where('id', '>', before).execute()
    expect(lines).toHaveLength(1)
    const [line] = lines
    if (line === undefined) throw new Error('there is no line')
    return line
  }

  type Line = Awaited<ReturnType<typeof lineOf>>

  const shapeOf = (line: Line) => ({
    action: line.action,
    subject: line.subject_kind,
    isOfPartner: line.partner_id !== null,
    before: line.before && Object.keys(line.before),
    after: line.after && Object.keys(line.after),
  })

  it.each(CHANGES.map((change) => [change.method ?? change.command, change] as const))(
    'by %s is written down, once, with who did it, and alike over gRPC and by a command',
    async (_name, change) => {
      const { call, action } = change
      const typed = await lineOf(change, (given) =>
        type(...change.command.split(' '), ...change.words(given)),
      )
      expect(typed).toMatchObject({ action, actor_kind: 'operator', actor_name: 'anne', operator: null })
      if (call === undefined) return
      const called = await lineOf(change, call)
      const by = { actor_kind: 'service', actor_name: 'desk', operator: 'anne', source: '127.0.0.1' }
      expect(called).toMatchObject(by)
      expect(shapeOf(called)).toEqual(shapeOf(typed))
    },
  )
})
