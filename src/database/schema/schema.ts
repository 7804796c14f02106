import type { Selectable } from 'kysely'
import type { ApprovalsTable } from './approvals.ts'
import type { AuditTable, EpochsTable } from './audit.ts'
import type { CallbacksTable, StrangerCallbacksTable, ToInterpretTable } from './callbacks.ts'
import type { AttemptsTable, DeliveriesTable, ToDeliverTable } from './deliveries.ts'
import type { DeadDeliveriesTable, EndpointsTable } from './endpoints.ts'
import type {
  DarajaAccountsTable,
  DarajaBudgetsTable,
  PartnerBucketsTable,
  PartnerDaysTable,
  PayerPromptsTable,
} from './limits.ts'
import type {
  OperatorLinksTable,
  OperatorSessionsTable,
  OperatorsTable,
  SignInGuessesTable,
} from './operators.ts'
import type {
  ApiKeysTable,
  PartnerAccountsTable,
  PartnersTable,
  ServiceTokensTable,
  SigningSecretsTable,
} from './partners.ts'
import type {
  IdempotencyKeysTable,
  PaymentFindingsTable,
  PaymentHistoryTable,
  PaymentsTable,
  ReceiptsTable,
  ToConfirmTable,
  ToQueryTable,
  ToSubmitTable,
} from './payments.ts'
import type { SignalConditionsTable, SignalPaceTable } from './signals.ts'
import type {
  StatementExceptionsTable,
  StatementLinesTable,
  StatementsTable,
  StatementUploadsTable,
} from './statements.ts'
import type { DailyTotalsTable, RedatedPaymentsTable, TotalsSummedTable } from './totals.ts'
import type { TrafficCountedTable, TrafficCountsTable } from './traffic.ts'

/** Every table, as the newest migration leaves it. */
export type Schema = {
  partners: PartnersTable
  api_keys: ApiKeysTable
  service_tokens: ServiceTokensTable
  signing_secrets: SigningSecretsTable
  partner_accounts: PartnerAccountsTable
  payments: PaymentsTable
  idempotency_keys: IdempotencyKeysTable
  payment_history: PaymentHistoryTable
  to_submit: ToSubmitTable
  to_query: ToQueryTable
  to_confirm: ToConfirmTable
  payment_findings: PaymentFindingsTable
  receipts: ReceiptsTable
  daraja_accounts: DarajaAccountsTable
  daraja_budgets: DarajaBudgetsTable
  callbacks: CallbacksTable
  to_interpret: ToInterpretTable
  stranger_callbacks: StrangerCallbacksTable
  deliveries: DeliveriesTable
  to_deliver: ToDeliverTable
  attempts: AttemptsTable
  endpoints: EndpointsTable
  dead_letters: DeadDeliveriesTable
  approvals: ApprovalsTable
  audit: AuditTable
  partner_buckets: PartnerBucketsTable
  partner_days: PartnerDaysTable
  payer_prompts: PayerPromptsTable
  epochs: EpochsTable
  operators: OperatorsTable
  operator_sessions: OperatorSessionsTable
  operator_links: OperatorLinksTable
  sign_in_guesses: SignInGuessesTable
  statements: StatementsTable
  statement_lines: StatementLinesTable
  statement_exceptions: StatementExceptionsTable
  statement_uploads: StatementUploadsTable
  signal_conditions: SignalConditionsTable
  signal_pace: SignalPaceTable
  traffic_counts: TrafficCountsTable
  traffic_counted: TrafficCountedTable
  daily_totals: DailyTotalsTable
  totals_summed: TotalsSummedTable
  redated_payments: RedatedPaymentsTable
}

/** Columns of a row as a statement returns them, by the names that the schema has for them. */
export type RowOf<Table extends keyof Schema, Columns extends keyof Selectable<Schema[Table]>> = Pick<
  Selectable<Schema[Table]>,
  Columns
>
