/** A change that one operator asked for and another decides. */
export type Approval = {
  id: bigint
  kind: 'settle_payment' | 'erase_payer'
  paymentId: bigint
  /** What will happen, as a sentence. */
  what: string
  /** Why, in the words of who asked; null where none are asked for. */
  reason: string | null
  askedBy: string
  askedAt: Date
  expiresAt: Date
}

/** What an operator does with approvals. */
export type ApprovalsClient = {
  /** Those that wait, oldest first, the first hundred. */
  list(): Promise<Approval[]>
  /** Does what was asked for, once; resolves to what was done. */
  approve(id: bigint): Promise<string>
  refuse(id: bigint): Promise<void>
}
