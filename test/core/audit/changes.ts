import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@connectrpc/connect'
import { onTestFinished } from 'vitest'
import type { AccountService } from '../../../src/gen/mpesa/gateway/v1/accounts_pb.js'
import type { DeliveryService } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import type { OperatorService } from '../../../src/gen/mpesa/gateway/v1/operators_pb.js'
import type { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import type { PayerService } from '../../../src/gen/mpesa/gateway/v1/payers_pb.js'
import type { PaymentOperationsService } from '../../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import type { StatementService } from '../../../src/gen/mpesa/gateway/v1/statements_pb.js'
import type { TokenService } from '../../../src/gen/mpesa/gateway/v1/tokens_pb.js'

/** What is changed, and how: over gRPC as a service, or by a command. New for each change. */
export type Given = {
  partners: Client<typeof PartnerService>
  deliveries: Client<typeof DeliveryService>
  payments: Client<typeof PaymentOperationsService>
  accounts: Client<typeof AccountService>
  tokens: Client<typeof TokenService>
  operators: Client<typeof OperatorService>
  payers: Client<typeof PayerService>
  statements: Client<typeof StatementService>
  type: (...words: string[]) => Promise<void>
  /** Makes the partner's endpoint one that is down. */
  takeDown: (partnerId: bigint) => Promise<void>
  partnerId: bigint
  keyId: bigint
  tokenId: bigint
  operatorId: bigint
  operatorName: string
  deliveryId: bigint
  paymentId: bigint
  findingId: bigint
  /** What does not fit, where a change is about that. */
  exceptionId?: bigint
}

export type Change = {
  action: string
  /** Brings about what the change needs, before its lines are counted. */
  ready?: (given: Given) => Promise<unknown>
  /** The method that does it, where there is one. */
  method?: string
  call?: (given: Given) => Promise<unknown>
  command: string
  words: (given: Given) => string[]
}

export const HOST = 'shop.co.ke'
const partnerOf = ({ partnerId }: Given): string[] => [String(partnerId)]
const endpointOf = ({ partnerId }: Given): string[] => ['--partner', String(partnerId), '--host', HOST]
const accountOf = ({ partnerId }: Given): string[] => [
  '--partner',
  String(partnerId),
  '--shortcode',
  '600111',
]

let receipts = 0

/** A statement that nobody has imported, with one line that is of no payment. */
const newStatement = (): string => {
  receipts += 1
  const receipt = `TKR${process.pid}${receipts}`
  return `Short Code:,174379\nReceipt No.,Completion Time,Transaction Status,Paid In\n${receipt},25-11-2026 12:00:00,Completed,150.00\n`
}

const writeStatement = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-statement-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'statement.csv')
  writeFileSync(path, newStatement())
  return path
}

const importNew = async (statements: Given['statements']): Promise<unknown> => {
  const uploadId = randomUUID()
  await statements.uploadStatementPart({ uploadId, content: Buffer.from(newStatement()) })
  return statements.importStatement({ uploadId, fileName: 'statement.csv' })
}

/** Every change by hand, and what is written down of it. Payments' own way is no such thing. */
export const CHANGES: readonly Change[] = [
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
    action: 'probed',
    ready: ({ takeDown, partnerId }) => takeDown(partnerId),
    method: 'probeEndpoint',
    call: ({ deliveries, partnerId }) => deliveries.probeEndpoint({ partnerId, host: HOST }),
    command: 'deliveries probe',
    words: endpointOf,
  },
  {
    action: 'created',
    method: 'createToken',
    call: ({ tokens }) => tokens.createToken({ name: 'desk', scopes: ['payments:read'] }),
    command: 'tokens create',
    words: () => ['--name', 'desk', '--scope', 'payments:read'],
  },
  {
    action: 'revoked',
    method: 'revokeToken',
    call: ({ tokens, tokenId }) => tokens.revokeToken({ tokenId }),
    command: 'tokens revoke',
    words: ({ tokenId }) => [String(tokenId)],
  },
  {
    action: 'created',
    method: 'createOperator',
    call: ({ operators, operatorId }) =>
      operators.createOperator({ name: `called after ${operatorId}`, role: 'look' }),
    command: 'operators create',
    words: ({ operatorId }) => ['--name', `typed after ${operatorId}`, '--role', 'look'],
  },
  {
    action: 'linked',
    method: 'createSignInLink',
    call: ({ operators, operatorId }) => operators.createSignInLink({ operatorId }),
    command: 'operators link',
    words: ({ operatorName }) => [operatorName],
  },
  {
    action: 'set',
    method: 'setOperatorRole',
    call: ({ operators, operatorId }) => operators.setOperatorRole({ operatorId, role: 'mend' }),
    command: 'operators set',
    words: ({ operatorName }) => [operatorName, '--role', 'mend'],
  },
  {
    action: 'disabled',
    method: 'disableOperator',
    call: ({ operators, operatorId }) => operators.disableOperator({ operatorId }),
    command: 'operators disable',
    words: ({ operatorName }) => [operatorName],
  },
  {
    action: 'enabled',
    ready: ({ operators, operatorId }) => operators.disableOperator({ operatorId }),
    method: 'enableOperator',
    call: ({ operators, operatorId }) => operators.enableOperator({ operatorId }),
    command: 'operators enable',
    words: ({ operatorName }) => [operatorName],
  },
  // Before there is an account: what is sealed again has a line for each table.
  { action: 'resealed', command: 'secrets rotate', words: () => [] },
  {
    action: 'set',
    method: 'setAccount',
    call: ({ accounts, partnerId }) =>
      accounts.setAccount({
        partnerId,
        shortcode: '600111',
        consumerKey: 'key',
        consumerSecret: 'secret',
        passkey: 'passkey',
      }),
    command: 'accounts create',
    words: accountOf,
  },
  {
    action: 'ended',
    ready: (given) => given.type('accounts', 'create', ...accountOf(given)),
    method: 'endAccount',
    call: ({ accounts, partnerId }) => accounts.endAccount({ partnerId }),
    command: 'accounts end',
    words: ({ partnerId }) => ['--partner', String(partnerId)],
  },
  {
    action: 'cancelled',
    method: 'cancelPaymentByHand',
    call: ({ payments, paymentId }) => payments.cancelPaymentByHand({ paymentId }),
    command: 'payments cancel',
    words: ({ paymentId }) => [String(paymentId)],
  },
  {
    action: 'settled',
    method: 'settlePayment',
    call: ({ payments, paymentId }) =>
      payments.settlePayment({ paymentId, outcome: PaymentState.FAILED, reason: 'a test' }),
    command: 'payments settle',
    words: ({ paymentId }) => [String(paymentId), '--outcome', 'failed', '--reason', 'a test'],
  },
  {
    action: 'revealed',
    method: 'revealMsisdn',
    call: ({ payments, paymentId }) => payments.revealMsisdn({ paymentId }),
    command: 'payments show',
    words: ({ paymentId }) => [String(paymentId), '--whole'],
  },
  {
    action: 'acknowledged',
    method: 'acknowledgeFinding',
    call: ({ payments, findingId }) => payments.acknowledgeFinding({ findingId, note: 'a test' }),
    command: 'payments findings acknowledge',
    words: ({ findingId }) => [String(findingId), '--note', 'a test'],
  },
  {
    action: 'erased',
    method: 'erasePayer',
    call: ({ payers }) => payers.erasePayer({ msisdn: '254799999999' }),
    command: 'payers erase',
    words: () => ['--phone', '254799999999'],
  },
  {
    action: 'exported',
    method: 'exportPayer',
    call: ({ payers }) => payers.exportPayer({ msisdn: '254799999999' }),
    command: 'payers export',
    words: () => ['--phone', '254799999999'],
  },
  {
    action: 'imported',
    method: 'importStatement',
    call: ({ statements }) => importNew(statements),
    command: 'statement import',
    words: () => [writeStatement()],
  },
  {
    action: 'acknowledged',
    ready: async (given) => {
      await importNew(given.statements)
      const { exceptions } = await given.statements.listStatementExceptions({ pageSize: 1 })
      given.exceptionId = exceptions[0]?.exceptionId ?? 0n
    },
    method: 'acknowledgeStatementExceptions',
    call: ({ statements, exceptionId = 0n }) =>
      statements.acknowledgeStatementExceptions({ exceptionId, note: 'a test' }),
    command: 'statement exceptions acknowledge',
    words: ({ exceptionId }) => [String(exceptionId), '--note', 'a test'],
  },
  { action: 'restored', command: 'restored', words: () => ['--yes'] },
]

/** Methods and commands that change nothing by hand; of a file that is handed over, what imports it is written down. */
export const READING_METHODS = [
  'uploadStatementPart',
  'listStatements',
  'getStatement',
  'listStatementExceptions',
  'getTotals',
  'listPartners',
  'getPartner',
  'listKeys',
  'listDeliveries',
  'getDelivery',
  'listEndpoints',
  'listOpenPayments',
  'listFindings',
  'getPaymentHistory',
  'findPayments',
  'getPaymentTimeline',
  'listExceptions',
  'listAccounts',
  'checkAccount',
  'listTokens',
  'listOperators',
  'listAuditEntries',
  'getSituation',
  'getTraffic',
  'listApprovals',
]

/** They write a line more than the change that they decide: test/core/approvals counts them. */
export const DECIDING_METHODS = ['approveChange', 'refuseChange']

export const OTHER_COMMANDS = [
  'serve',
  'dispatch',
  'console',
  'migrate',
  'simulator',
  'approvals list',
  // As `DECIDING_METHODS`.
  'approvals approve',
  'approvals refuse',
  'partners list',
  'partners show',
  'partners keys list',
  'partners signing-secret list',
  'partners test-callback',
  'tokens list',
  'operators list',
  'accounts list',
  'accounts check',
  'payments list',
  'payments exceptions',
  'deliveries list',
  'deliveries show',
  'deliveries endpoints',
  'audit list',
  'statement list',
  'statement show',
  'statement exceptions list',
  'totals',
  'status',
  'traffic',
]
