/** The field of a request that is wrong, by its name in proto, and what would be right. */
export type FieldProblem = { field: string; problem: string }

/**
 * Thrown by a method that does not do what an operator asks, before anything is changed; the message is a sentence for
 * a person. A service answers it as a ConnectError with the code of its kind, a command prints it.
 */
export class Refused extends Error {
  override name = 'Refused'
  readonly kind: 'wrong_field' | 'not_found' | 'not_possible' | 'approval_needed'
  /** For `wrong_field` only. */
  readonly wrong: FieldProblem | null
  /** For `approval_needed` only: what it waits as. */
  readonly approvalId: bigint | null
  constructor(
    kind: Refused['kind'],
    message: string,
    about: { wrong?: FieldProblem; approvalId?: bigint } = {},
  ) {
    super(message)
    this.kind = kind
    this.wrong = about.wrong ?? null
    this.approvalId = about.approvalId ?? null
  }
}

export const wrongField = (field: string, problem: string): Refused =>
  new Refused('wrong_field', `${field} ${problem}`, { wrong: { field, problem } })

export const noSuchPartner = (partnerId: bigint): Refused =>
  new Refused('not_found', `there is no partner ${partnerId}`)
