import type { Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'

/** Who did something by hand, and from where. */
export type Actor =
  /** A person at a shell; `from` is the machine. */
  | { kind: 'operator'; name: string; from: string }
  /** A service that called with a token of ours; `operator` is whom it names as the person behind, `from` its address. */
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

/** The same for many things at once, at most some thousands. */
export const recordAudits = async (
  transaction: Transaction<Schema>,
  entries: readonly AuditEntry[],
): Promise<void> => {
  if (entries.length > 0) await transaction.insertInto('audit').values(entries.map(toRow)).execute()
}

const toRow = ({ actor, ...entry }: AuditEntry) => ({
  actor_kind: actor.kind,
  actor_id: actor.kind === 'service' ? actor.tokenId : null,
  actor_name: actor.name,
  operator: actor.kind === 'service' ? actor.operator : null,
  source: actor.from,
  action: entry.action,
  subject_kind: entry.subject.kind,
  subject_id: String(entry.subject.id),
  partner_id: entry.partnerId,
  before: toJson(entry.before),
  after: toJson(entry.after),
})

const toJson = (fields: Readonly<Record<string, unknown>> | null): string | null =>
  fields === null
    ? null
    : JSON.stringify(fields, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))
