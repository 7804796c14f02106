import type { OperatorRole } from '../values/operator-role.ts'

/** Who is signed in. */
export type SignedIn = {
  readonly operatorId: bigint
  readonly name: string
  readonly role: OperatorRole
  readonly sessionId: bigint
  /** How many changes of others wait for this operator to decide. */
  readonly toDecide: number
}

/** Where a request came from: the browser's address, and what it says of itself. */
export type Visitor = { readonly address: string; readonly browser: string }

/** What became of an attempt to sign in. */
export type SignInOutcome =
  /** `token` is the new session's, for the cookie alone. */
  | { readonly kind: 'signed_in'; readonly token: string; readonly name: string }
  /** The name, the password or the code is wrong, or the operator is disabled: never said which. */
  | { readonly kind: 'wrong' }
  /** Too many wrong ones: nothing was looked at. */
  | { readonly kind: 'wait'; readonly seconds: number }

/** A session of an operator's, as it is listed. */
export type OwnSession = {
  readonly sessionId: bigint
  readonly browser: string
  readonly address: string
  readonly createdAt: Date
  readonly usedAt: Date
}

/** Who may come in: made by the core, handed to the console. */
export type SignIns = {
  /** Whether there is an operator who could sign in: the console is closed until there is. */
  isOpen(): Promise<boolean>
  byPassword(given: { name: string; password: string; visitor: Visitor }): Promise<SignInOutcome>
  /** By the code of a one-time link; it is used up by this. */
  byCode(given: { code: string; visitor: Visitor }): Promise<SignInOutcome>
  /** The session of a cookie's token, if it is still good; that it was used is noted, unless a page did it by itself. */
  find(token: string, how: { isByItself: boolean }): Promise<SignedIn | null>
  signOut(signedIn: SignedIn, visitor: Visitor): Promise<void>
  listSessions(signedIn: SignedIn): Promise<readonly OwnSession[]>
  /** Ends one session of the same operator. */
  endSession(signedIn: SignedIn, sessionId: bigint, visitor: Visitor): Promise<void>
  /** Sets the operator's own password; a problem is a sentence that begins with what is wrong. */
  setPassword(
    signedIn: SignedIn,
    password: string,
    visitor: Visitor,
  ): Promise<{ readonly problem: string } | null>
}
