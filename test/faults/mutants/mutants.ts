import { CLOCK_MUTANTS } from './clock-mutants.ts'
import { DARAJA_MUTANTS } from './daraja-mutants.ts'
import { DELIVERY_MUTANTS } from './delivery-mutants.ts'
import { EDGE_MUTANTS } from './edge-mutants.ts'
import { EVENT_MUTANTS } from './event-mutants.ts'
import { EVIDENCE_MUTANTS } from './evidence-mutants.ts'
import { HISTORY_MUTANTS } from './history-mutants.ts'
import { MARK_MUTANTS } from './mark-mutants.ts'
import type { Mutant } from './mutant.ts'
import { NETWORK_MUTANTS } from './network-mutants.ts'
import { OPERATOR_MUTANTS } from './operator-mutants.ts'
import { OUTAGE_MUTANTS } from './outage-mutants.ts'
import { OVERLOAD_MUTANTS } from './overload-mutants.ts'
import { PAYMENT_MUTANTS } from './payment-mutants.ts'
import { SCHEMA_MUTANTS } from './schema-mutants.ts'
import { SECRECY_MUTANTS } from './secrecy-mutants.ts'
import { SIGNAL_MUTANTS } from './signal-mutants.ts'
import { SPOOL_MUTANTS } from './spool-mutants.ts'

/** What breaks the laws themselves; `npm test` tries the first of each. */
export const LAW_MUTANTS: readonly Mutant[] = [...PAYMENT_MUTANTS, ...DELIVERY_MUTANTS, ...SECRECY_MUTANTS]

/** Those and what breaks every other promise; `npm run test:mutants` tries all. */
export const ALL_MUTANTS: readonly Mutant[] = [
  ...LAW_MUTANTS,
  ...SPOOL_MUTANTS,
  ...NETWORK_MUTANTS,
  ...HISTORY_MUTANTS,
  ...CLOCK_MUTANTS,
  ...MARK_MUTANTS,
  ...EDGE_MUTANTS,
  ...DARAJA_MUTANTS,
  ...OUTAGE_MUTANTS,
  ...EVIDENCE_MUTANTS,
  ...OPERATOR_MUTANTS,
  ...SCHEMA_MUTANTS,
  ...EVENT_MUTANTS,
  ...OVERLOAD_MUTANTS,
  ...SIGNAL_MUTANTS,
]
