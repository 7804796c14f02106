import type { PushOutcome } from '../daraja/stk-push.ts'

/** A payment that was pushed, which taking of it that was, and what came of it. */
export type Pushed = { paymentId: bigint; take: number; outcome: PushOutcome }

type OutcomeOf<Kind extends PushOutcome['kind']> = Extract<PushOutcome, { kind: Kind }>

/** One whose outcome is of this kind. */
export type PushedAs<Kind extends PushOutcome['kind']> = Omit<Pushed, 'outcome'> & {
  outcome: OutcomeOf<Kind>
}

export const isKind =
  <Kind extends PushOutcome['kind']>(kind: Kind) =>
  (push: Pushed): push is PushedAs<Kind> =>
    push.outcome.kind === kind
