/** Why something that an operator asked for was not done. */
export type RefusalKind =
  /** A field is wrong: `field` names it. */
  | 'wrong_field'
  /** What was sent is longer than it may be. */
  | 'too_large'
  | 'not_found'
  /** Not as things stand. */
  | 'not_possible'
  /** Another operator decides it: it waits among the approvals. */
  | 'approval_needed'
  /** The database is away, or the like: it may be asked again. */
  | 'unavailable'

const STATUS: Record<RefusalKind, number> = {
  wrong_field: 422,
  too_large: 413,
  not_found: 404,
  not_possible: 409,
  approval_needed: 409,
  unavailable: 503,
}

/** Thrown by pages and by their clients: nothing was changed. The message is a sentence for the operator. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly kind: RefusalKind
  /** The field by its name in proto, for `wrong_field` only. */
  readonly field: string | null
  constructor(kind: RefusalKind, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.field = options.field ?? null
  }
}

export const statusOf = (refusal: Refusal): number => STATUS[refusal.kind]
