// A partner rehearses by test payments, which are its own and never met by its real ones. In every row that names a
// partner, the partner of a test payment is the negative of the partner's id: whatever is looked up, counted, limited or
// held by partner is apart for both without a word about it, and cannot be mixed up by a forgotten condition. The
// account of a test payment is the same negative number, and is the simulator: no account at Daraja has such an id.

// No partner is 0: signals to operators are deliveries under that id, and so apart from everybody's in the same way.

/** The id under which signals to operators are. */
export const OPERATORS_ID = 0n

/** Whether an id is that of a partner's real payments: what is counted. */
export const isRealId = (id: bigint): boolean => id > 0n

/** Whether an id, of a partner or an account, is that of test payments. */
export const isTestId = (id: bigint): boolean => id < 0n

/** The id under which a partner's test payments are. */
export const testIdOf = (partnerId: bigint): bigint => -partnerId

/** The id of the partner itself, of its test payments too. */
export const partnerIdOf = (id: bigint): bigint => (isTestId(id) ? -id : id)
