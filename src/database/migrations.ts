import type { Migration } from 'kysely/migration'
import type { MigrationName } from './migration-names.ts'
import * as partners from './migrations/001-partners.ts'
import * as payments from './migrations/002-payments.ts'
import * as callbacks from './migrations/003-callbacks.ts'
import * as deliveries from './migrations/004-deliveries.ts'
import * as truth from './migrations/005-truth.ts'
import * as endpoints from './migrations/006-endpoints.ts'
import * as findDeliveries from './migrations/007-find-deliveries.ts'
import * as signing from './migrations/008-signing.ts'
import * as keys from './migrations/009-keys.ts'
import * as accounts from './migrations/010-accounts.ts'
import * as audit from './migrations/011-audit.ts'
import * as limits from './migrations/012-limits.ts'
import * as evidence from './migrations/013-evidence.ts'
import * as epochs from './migrations/014-epochs.ts'
import * as edges from './migrations/016-edges.ts'
import * as reconnect from './migrations/017-reconnect.ts'
import * as findPayments from './migrations/018-find-payments.ts'
import * as partnersAct from './migrations/019-partners-act.ts'
import * as rehearsal from './migrations/020-rehearsal.ts'
import * as events from './migrations/021-events.ts'
import * as duties from './migrations/023-duties.ts'
import * as roomForVersions from './migrations/024-room-for-versions.ts'
import * as operators from './migrations/025-operators.ts'
import * as situation from './migrations/026-situation.ts'
import * as exceptions from './migrations/027-exceptions.ts'
import * as signals from './migrations/028-signals.ts'
import * as statements from './migrations/029-statements.ts'
import * as approvals from './migrations/030-approvals.ts'
import * as approvalsWaiting from './migrations/031-approvals-waiting.ts'
import * as findFailed from './migrations/032-find-failed.ts'
import * as dailyTotals from './migrations/033-daily-totals.ts'
import * as statementCounts from './migrations/034-statement-counts.ts'
import * as deadByEndpoint from './migrations/035-dead-by-endpoint.ts'

/** What each migration does, and undoes. */
export const MIGRATIONS: Readonly<Record<MigrationName, Migration>> = {
  '001-partners': partners,
  '002-payments': payments,
  '003-callbacks': callbacks,
  '004-deliveries': deliveries,
  '005-truth': truth,
  '006-endpoints': endpoints,
  '007-find-deliveries': findDeliveries,
  '008-signing': signing,
  '009-keys': keys,
  '010-accounts': accounts,
  '011-audit': audit,
  '012-limits': limits,
  '013-evidence': evidence,
  '014-epochs': epochs,
  '016-edges': edges,
  '017-reconnect': reconnect,
  '018-find-payments': findPayments,
  '019-partners-act': partnersAct,
  '020-rehearsal': rehearsal,
  '021-events': events,
  '023-duties': duties,
  '024-room-for-versions': roomForVersions,
  '025-operators': operators,
  '026-situation': situation,
  '027-exceptions': exceptions,
  '028-signals': signals,
  '029-statements': statements,
  '030-approvals': approvals,
  '031-approvals-waiting': approvalsWaiting,
  '032-find-failed': findFailed,
  '033-daily-totals': dailyTotals,
  '034-statement-counts': statementCounts,
  '035-dead-by-endpoint': deadByEndpoint,
}
