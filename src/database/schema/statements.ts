import type { ColumnType, Generated } from 'kysely'

/** M-PESA's statements that were imported, each file once. */
export type StatementsTable = {
  id: Generated<bigint>
  /** SHA-256 of the file. */
  fingerprint: Buffer
  file_name: string
  /** The paybill or till that it is of. */
  shortcode: string
  /** The first and the last instant that it covers. */
  covers_from: Date
  covers_to: Date
  imported_at: Generated<Date>
  imported_by: string
  /** How many lines the file has, and how many of them paid something in. */
  lines: Generated<number>
  paid_lines: Generated<number>
  /** What was paid in and withdrawn, KES cents, of what was completed. */
  paid_cents: Generated<bigint>
  withdrawn_cents: Generated<bigint>
  /** How many lines that paid something in stood in a statement before. */
  known_lines: Generated<number>
  /** How many lines that it was the first to bring are of a payment here; null: imported by a release before. */
  matched_lines: ColumnType<number | null, never, number>
  /** How many exceptions of each kind it has; null likewise. */
  exception_counts: ColumnType<Record<string, number> | null, never, string>
}

/** What was paid in by M-PESA's statements, each receipt once; append only but for the payment. */
export type StatementLinesTable = {
  receipt: string
  shortcode: string
  /** The first statement that has it, and where. */
  statement_id: bigint
  line: number
  completed_at: Date
  paid_cents: bigint
  /** The account number: what the payer was shown or typed. */
  reference: string | null
  /** The payment here that it is of; null: none that is known. */
  payment_id: bigint | null
}

/** What of a statement and the payments here does not fit; each once. */
export type StatementExceptionsTable = {
  id: Generated<bigint>
  statement_id: bigint
  /** In the words of src/core/statements/exceptions.ts. */
  kind: string
  receipt: string | null
  /** Another receipt that it is about: which paid the payment before, or which reversed it. */
  other_receipt: string | null
  payment_id: bigint | null
  /** What the statement says, KES cents. */
  paid_cents: bigint | null
  /** What another statement said, KES cents. */
  other_cents: bigint | null
  completed_at: Date | null
  reference: string | null
  acknowledged_at: ColumnType<Date | null, never, Date>
  acknowledged_by: ColumnType<string | null, never, string>
  note: ColumnType<string | null, never, string>
}

/** Files that are being handed over, in parts; gone once they are imported. */
export type StatementUploadsTable = {
  upload_id: string
  /** Where in the file the part begins, bytes. */
  at: bigint
  content: Buffer
  uploaded_at: Generated<Date>
}

/** Between the receipts in `other_receipt`, where several lines gave back a part each. */
export const BETWEEN_PARTS = ', '
