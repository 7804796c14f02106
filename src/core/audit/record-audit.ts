import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Scope } from '../../values/scope.ts'
import { isTestId, partnerIdOf } from '../../values/test-partner.ts'

/** Who did something by hand, and from where. */
export type Actor =
  /** A person at a shell; `from` is the machine. */
  | { kind: 'operator'; name: string; from: string }
  /**
   * A service that called with a token of ours, and what that lets it do; `operator` is whom it names as the person
   * behind, `from` its address.
   */
  | {
      kind: 'service'
      tokenId: bigint
      name: string
      scopes: readonly Scope[]
      operator: string | null
      from: string
    }
  /** A partner that called with a key of its own; `name` is the part of it that is shown, `from` its address. */
  | { kind: 'partner'; partnerId: bigint; keyId: bigint; name: string; from: string }

/** Who that is, for a person: the operator, also behind a service that names one; or the partner and its key. */
export const nameOf = (actor: Actor): string => {
  switch (actor.kind) {
    case 'operator':
      return actor.name
    case 'service':
      return actor.operator ?? actor.name
    case 'partner':
      return nameOfPartner(actor.partnerId, actor.name)
    default:
      return actor satisfies never
  }
}

/** `partner 7 (mpg_a1b2c3d4)`. */
export const nameOfPartner = (partnerId: bigint | null, keyPrefix: string): string =>
  `partner ${partnerId && partnerIdOf(partnerId)} (${keyPrefix})`

/** What things are that are changed by hand. */
export const AUDIT_SUBJECTS = [
  'partner',
  'key',
  'token',
  'signing_secret',
  'account',
  'secret_key',
  'payment',
  'delivery',
  'endpoint',
  'payer',
  'operator',
  'finding',
  'database',
  'statement',
  'exception',
] as const

export type AuditSubject = (typeof AUDIT_SUBJECTS)[number]

/** One thing that was done. Never a secret in it, and no payer's whole number. */
export type AuditEntry = {
  actor: Actor
  /** In the past tense: `created`, `settled`. */
  action: string
  subject: { kind: AuditSubject; id: bigint | string }
  /** Whom it concerns; null for nobody in particular. */
  partnerId: bigint | null
  /** The fields that changed, as they were; null for what was made. Ids as bigint and instants as Date are fine. */
  before: Readonly<Record<string, unknown>> | null
  /** The same fields as they became; null for what was taken away. */
  after: Readonly<Record<string, unknown>> | null
}

/** Writes down who did what, in the transaction that does it: nothing is done by hand without its line. */
export const recordAudit = (transaction: Transaction<Schema>, entry: AuditEntry): Promise<void> =>
  recordAudits(transaction, [entry])

const GIVEN_AS_THEY_ARE = [
  'actor_kind',
  'actor_id',
  'actor_name',
  'operator',
  'source',
  'action',
  'subject_kind',
  'subject_id',
  'partner_id',
] as const

/** The same for many things at once, at most some thousands. */
export const recordAudits = async (
  transaction: Transaction<Schema>,
  entries: readonly AuditEntry[],
): Promise<void> => {
  if (entries.length === 0) return
  const given = givenRows(entries, {
    actor_kind: ['audit.actor_kind', ({ actor }) => actor.kind],
    actor_id: ['audit.actor_id', ({ actor }) => idOf(actor)],
    actor_name: ['audit.actor_name', ({ actor }) => actor.name],
    operator: ['audit.operator', ({ actor }) => (actor.kind === 'service' ? actor.operator : null)],
    source: ['audit.source', ({ actor }) => actor.from],
    action: ['audit.action', ({ action }) => action],
    subject_kind: ['audit.subject_kind', ({ subject }) => subject.kind],
    subject_id: ['audit.subject_id', ({ subject }) => String(subject.id)],
    partner_id: ['audit.partner_id', ({ partnerId }) => partnerId && partnerIdOf(partnerId)],
    before: ['text', ({ before }) => toJson(before)],
    after: ['text', ({ after, partnerId }) => toJson(isOfTest(partnerId) ? { ...after, test: true } : after)],
  })
  await transaction
    .insertInto('audit')
    .columns([...GIVEN_AS_THEY_ARE, 'before', 'after'])
    .expression((eb) =>
      eb
        .selectFrom(given)
        .select(GIVEN_AS_THEY_ARE)
        .select([sql`before::jsonb`.as('before'), sql`after::jsonb`.as('after')]),
    )
    .execute()
}

const idOf = (actor: Actor): bigint | null => {
  switch (actor.kind) {
    case 'operator':
      return null
    case 'service':
      return actor.tokenId
    case 'partner':
      return actor.keyId
    default:
      return actor satisfies never
  }
}

/** Whether it was done to something of a test payment. */
const isOfTest = (partnerId: bigint | null): boolean => partnerId !== null && isTestId(partnerId)

const toJson = (fields: Readonly<Record<string, unknown>> | null): string | null =>
  fields === null
    ? null
    : JSON.stringify(fields, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))
