/**
 * What an operator of the console may do, each more than the one before: `look` reads; `mend` changes what can be
 * undone or repeated; `money` also says what became of a payment, and erases.
 */
export const OPERATOR_ROLES = ['look', 'mend', 'money'] as const

export type OperatorRole = (typeof OPERATOR_ROLES)[number]

export const isOperatorRole = (text: string): text is OperatorRole =>
  OPERATOR_ROLES.some((role) => role === text)

/** Whether an operator with the role `has` may do what needs `needs`. */
export const suffices = (has: OperatorRole, needs: OperatorRole): boolean =>
  OPERATOR_ROLES.indexOf(has) >= OPERATOR_ROLES.indexOf(needs)
