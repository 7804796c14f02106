import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCommands } from '../../../src/cli/gateway.ts'
import { createOperator } from '../../../src/core/operators/operator.ts'
import { createServiceToken } from '../../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { AccountService } from '../../../src/gen/mpesa/gateway/v1/accounts_pb.js'
import { ApprovalService } from '../../../src/gen/mpesa/gateway/v1/approvals_pb.js'
import { AuditService } from '../../../src/gen/mpesa/gateway/v1/audit_pb.js'
import { DeliveryService } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import { OperatorService } from '../../../src/gen/mpesa/gateway/v1/operators_pb.js'
import { OverviewService } from '../../../src/gen/mpesa/gateway/v1/overview_pb.js'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import { PayerService } from '../../../src/gen/mpesa/gateway/v1/payers_pb.js'
import { PaymentOperationsService } from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { StatementService } from '../../../src/gen/mpesa/gateway/v1/statements_pb.js'
import { TokenService } from '../../../src/gen/mpesa/gateway/v1/tokens_pb.js'
import { SCOPES } from '../../../src/values/scope.ts'
import { testActor } from '../../support/actor.ts'
import { typeCommand } from '../../support/command.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addDelivery } from '../../support/deliveries.ts'
import { acceptPayment } from '../../support/payments.ts'
import { TEST_SECRET_KEY } from '../../support/vault.ts'

import {
  CHANGES,
  type Change,
  DECIDING_METHODS,
  type Given,
  HOST,
  OTHER_COMMANDS,
  READING_METHODS,
} from './changes.ts'

/** The services whose methods are operators'. */
const OPERATORS = [
  PartnerService,
  DeliveryService,
  PaymentOperationsService,
  AccountService,
  TokenService,
  OperatorService,
  ApprovalService,
  AuditService,
  OverviewService,
  PayerService,
  StatementService,
]

/** The words of each command that has none below it. */
const leavesOf = (command: Command, above: string[] = []): string[] => {
  const words = [...above, command.name()]
  return command.commands.length === 0
    ? [words.join(' ')]
    : command.commands.flatMap((below) => leavesOf(below, words))
}

it('every method of a service that changes something is known here: a new one is to be added', () => {
  const methods = OPERATORS.flatMap((service) => Object.keys(service.method))
  const known = CHANGES.flatMap(({ method }) => method ?? [])
  expect(methods.toSorted()).toEqual([...known, ...READING_METHODS, ...DECIDING_METHODS].toSorted())
})

it('every command that changes something is known here: a new one is to be added', async () => {
  const words = (await loadCommands(undefined, {})).flatMap((command) => leavesOf(command))
  const known = CHANGES.map(({ command }) => command)
  expect(words.toSorted()).toEqual([...known, ...OTHER_COMMANDS].toSorted())
})

describe('what is changed by hand', { timeout: 60_000 }, () => {
  let test: TestCore
  let grpc: GrpcServer
  let operatorsMade = 0
  let service: Pick<
    Given,
    'partners' | 'deliveries' | 'payments' | 'accounts' | 'tokens' | 'payers' | 'operators' | 'statements'
  >

  beforeAll(async () => {
    test = await startTestCore()
    grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
    const token = await newToken('desk')
    const transport = asAnne(`http://127.0.0.1:${grpc.port}`, token)
    service = {
      partners: createClient(PartnerService, transport),
      deliveries: createClient(DeliveryService, transport),
      payments: createClient(PaymentOperationsService, transport),
      accounts: createClient(AccountService, transport),
      tokens: createClient(TokenService, transport),
      operators: createClient(OperatorService, transport),
      payers: createClient(PayerService, transport),
      statements: createClient(StatementService, transport),
    }
  })
  afterAll(async () => {
    await grpc.close()
    await test.stop()
  })

  const newToken = async (name: string): Promise<string> => {
    const { database } = test
    const made = { database, name, scopes: SCOPES, actor: testActor, randomBytes }
    return (await createServiceToken(made)).token
  }

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
      DARAJA_SHORTCODE: '174379',
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
    const { partners } = service
    const { partnerId } = await partners.createPartner({ name: 'Duka' })
    const { keys } = await partners.listKeys({ partnerId })
    await newToken('till')
    operatorsMade += 1
    const operatorName = `operator ${operatorsMade}`
    const made = {
      database,
      name: operatorName,
      role: 'look' as const,
      password: null,
      actor: testActor,
      randomBytes,
    }
    const { operatorId = 0n } = (await createOperator(made)) ?? {}
    const paymentId = await acceptUntouched()
    const given: Given = {
      ...service,
      type,
      takeDown,
      partnerId,
      keyId: keys[0]?.keyId ?? 0n,
      tokenId: await lastId('service_tokens'),
      operatorId,
      operatorName,
      deliveryId: await addDelivery(database, `https://${HOST}/callback`, partnerId),
      paymentId,
      findingId: await addFinding(paymentId),
    }
    await change.ready?.(given)
    return given
  }

  const takeDown = async (partnerId: bigint): Promise<void> => {
    await sql`
      INSERT INTO endpoints (partner_id, host, state, open_until)
      VALUES (${partnerId}, ${HOST}, 'open', now() + interval '1 minute')
    `.execute(test.database)
  }

  const addFinding = async (paymentId: bigint): Promise<bigint> => {
    const { id } = await test.database
      .insertInto('payment_findings')
      .values({ payment_id: paymentId, kind: 'not_proven', detail: 'a test' })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
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
