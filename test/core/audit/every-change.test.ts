import { randomBytes } from 'node:crypto'
import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createServiceToken, SCOPES } from '../../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { DeliveryService } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import { testActor } from '../../support/actor.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addDeliveries } from '../../support/deliveries.ts'

type Given = {
  partners: Client<typeof PartnerService>
  deliveries: Client<typeof DeliveryService>
  partnerId: bigint
  keyId: bigint
  deliveryId: bigint
}

const HOST = 'shop.co.ke'

type Change = { action: string; make: (given: Given) => Promise<unknown> }

/** Every method by which something is changed by hand, and what is written down of it. Payments' own way is no such thing. */
const CHANGES: Record<string, Change> = {
  createPartner: { action: 'created', make: ({ partners }) => partners.createPartner({ name: 'Shule' }) },
  disablePartner: {
    action: 'disabled',
    make: ({ partners, partnerId }) => partners.disablePartner({ partnerId }),
  },
  enablePartner: {
    action: 'enabled',
    make: async ({ partners, partnerId }) => {
      await partners.disablePartner({ partnerId })
      await partners.enablePartner({ partnerId })
    },
  },
  setPartnerSettings: {
    action: 'set',
    make: ({ partners, partnerId }) =>
      partners.setPartnerSettings({ partnerId, settings: { maxPaymentKes: 100 } }),
  },
  createKey: {
    action: 'created',
    make: ({ partners, partnerId }) => partners.createKey({ partnerId, name: 'till' }),
  },
  rotateKey: { action: 'rotated', make: ({ partners, keyId }) => partners.rotateKey({ keyId }) },
  revokeKey: { action: 'revoked', make: ({ partners, keyId }) => partners.revokeKey({ keyId }) },
  rotateSigningSecret: {
    action: 'rotated',
    make: ({ partners, partnerId }) => partners.rotateSigningSecret({ partnerId }),
  },
  retryDeliveries: {
    action: 'retried',
    make: ({ deliveries, deliveryId }) => deliveries.retryDeliveries({ deliveryIds: [deliveryId] }),
  },
  cancelDeliveries: {
    action: 'cancelled',
    make: ({ deliveries, deliveryId }) =>
      deliveries.cancelDeliveries({ deliveryIds: [deliveryId], reason: 'a test' }),
  },
  pauseEndpoint: {
    action: 'paused',
    make: ({ deliveries, partnerId }) => deliveries.pauseEndpoint({ partnerId, host: HOST }),
  },
  resumeEndpoint: {
    action: 'resumed',
    make: async ({ deliveries, partnerId }) => {
      await deliveries.pauseEndpoint({ partnerId, host: HOST })
      await deliveries.resumeEndpoint({ partnerId, host: HOST })
    },
  },
}

/** Those that change nothing. */
const READ_ONLY = ['listPartners', 'getPartner', 'listKeys', 'listDeliveries', 'getDelivery', 'listEndpoints']

describe('what a service has changed by hand', () => {
  let test: TestCore
  let grpc: GrpcServer
  let given: Given

  beforeAll(async () => {
    test = await startTestCore()
    grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await grpc.close()
    await test.stop()
  })
  beforeEach(async () => {
    const token = await createServiceToken({
      database: test.database,
      name: 'desk',
      scopes: SCOPES,
      actor: testActor,
      randomBytes,
    })
    const transport = asAnne(`http://127.0.0.1:${grpc.port}`, token)
    const partners = createClient(PartnerService, transport)
    const { partnerId } = await partners.createPartner({ name: 'Duka' })
    const { keys } = await partners.listKeys({ partnerId })
    const [deliveryId = 0n] = await addDeliveries(test.database, [`https://${HOST}/told`], partnerId)
    given = {
      partners,
      deliveries: createClient(DeliveryService, transport),
      partnerId,
      keyId: keys[0]?.keyId ?? 0n,
      deliveryId,
    }
  })

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

  const lastLine = async (): Promise<bigint> => {
    const { rows } = await sql<{ id: bigint }>`SELECT coalesce(max(id), 0) AS id FROM audit`.execute(
      test.database,
    )
    return rows[0]?.id ?? 0n
  }

  it('are the methods of the services that are known here: a new one is to be added', () => {
    const methods = [PartnerService, DeliveryService].flatMap((service) => Object.keys(service.method))
    expect(methods.toSorted()).toEqual([...Object.keys(CHANGES), ...READ_ONLY].toSorted())
  })

  it.each(Object.entries(CHANGES))(
    'by %s is written down, with whom the service names',
    async (_method, change) => {
      const before = await lastLine()
      await change.make(given)
      const lines = await test.database
        .selectFrom('audit')
        .selectAll()
        .where('id', '>', before)
        .orderBy('id')
        .execute()
      expect(lines.at(-1)).toMatchObject({
        action: change.action,
        actor_kind: 'service',
        actor_name: 'desk',
        operator: 'anne',
        source: '127.0.0.1',
      })
    },
  )
})
