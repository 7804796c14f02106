/**
 * What a parser of an outside value returns: the value in its branded type, or a problem worded as the end of a
 * sentence that starts with the field's name ("must be …"), so that each interface names the field in its own words.
 */
export type Parsed<Value> = { ok: true; value: Value } | { ok: false; problem: string }

export const valid = <Value>(value: Value): Parsed<Value> => ({ ok: true, value })

export const invalid = (problem: string): { ok: false; problem: string } => ({ ok: false, problem })
