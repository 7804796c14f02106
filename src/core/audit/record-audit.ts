import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'

/** Who did something by hand, and from where. */
export type Actor =
  /** A person at a shell; `from` is the machine. */
  | { kind: 'operator'; name: string; from: string }
  /**
   * A service that called with a token of ours; `operator` is whom it names as the person behind, `from` its address.
   */
  | { kind: 'service'; tokenId: bigint; name: string; operator: string | null; from: string }

/** Who that is, for a person: the operator, also behind a service that names one. */
export const nameOf = (actor: Actor): string =>
  actor.kind === 'service' ? (actor.operator ?? actor.name) : actor.name

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
  'database',
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
    actor_id: ['audit.actor_id', ({ actor }) => (actor.kind === 'service' ? actor.tokenId : null)],
    actor_name: ['audit.actor_name', ({ actor }) => actor.name],
    operator: ['audit.operator', ({ actor }) => (actor.kind === 'service' ? actor.operator : null)],
    source: ['audit.source', ({ actor }) => actor.from],
    action: ['audit.action', ({ action }) => action],
    subject_kind: ['audit.subject_kind', ({ subject }) => subject.kind],
    subject_id: ['audit.subject_id', ({ subject }) => String(subject.id)],
    partner_id: ['audit.partner_id', ({ partnerId }) => partnerId],
    before: ['text', ({ before }) => toJson(before)],
    after: ['text', ({ after }) => toJson(after)],
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

const toJson = (fields: Readonly<Record<string, unknown>> | null): string | null =>
  fields === null
    ? null
    : JSON.stringify(fields, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))
