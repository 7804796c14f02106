/** Bytes of a statement's file at most. */
export const MOST_STATEMENT_BYTES = 1024 ** 3

/** Why a file above that is refused, and what to do, for a person; `bytes` null: nobody knows how many it has. */
export const explainTooLarge = (bytes: number | null): string =>
  `${bytes === null ? 'The file is too large' : `The file has ${gibibytes(bytes)} GiB`}; a statement may have ${gibibytes(MOST_STATEMENT_BYTES)} GiB at most. Export it for fewer days at a time and import each file: a receipt that is in two of them counts once.`

/** In tenths, rounded up: what is above the limit never reads like it. */
const gibibytes = (bytes: number): string =>
  (Math.ceil((bytes / 1024 ** 3) * 10) / 10).toLocaleString('en-US')
