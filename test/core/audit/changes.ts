import type { Client } from '@connectrpc/connect'
import type { DeliveryService } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import type { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'

/** What is changed, and how: over gRPC as a service, or by a command. New for each change. */
export type Given = {
  partners: Client<typeof PartnerService>
  deliveries: Client<typeof DeliveryService>
  type: (...words: string[]) => Promise<void>
  partnerId: bigint
  keyId: bigint
  tokenId: bigint
  deliveryId: bigint
  paymentId: bigint
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
export const READING_METHODS = [
  'listPartners',
  'getPartner',
  'listKeys',
  'listDeliveries',
  'getDelivery',
  'listEndpoints',
]
export const OTHER_COMMANDS = [
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
