// Every sealed column, and what its secrets are sealed for: the row, and what else of it must not be exchanged unnoticed. Who
// can write to the database, but has no SECRET_KEY, can put no secret where it does not belong.

/** What a signing secret is sealed for. */
export const identityOfSigningSecret = (row: { id: bigint; partner_id: bigint }): string =>
  `signing_secrets ${row.id} of partner ${row.partner_id}`
