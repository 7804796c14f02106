import type { Vault } from '../runtime/seal.ts'
import type { CoreOptions } from './core-options.ts'
import { checkAccountAt } from './daraja/check-account.ts'
import type { CallerChecks } from './services/caller-checks.ts'
import {
  createAccountService,
  createApprovalService,
  createAuditService,
  createDeliveryService,
  createOperatorService,
  createOverviewService,
  createPartnerService,
  createPayerService,
  createPaymentOperationsService,
  createStatementService,
  createTokenService,
} from './services/operator-access.ts'
import type { Settlement } from './settle/decide.ts'
import { reportSettlements } from './settle/report-settlements.ts'
import type { ProcessFacts, SpoolFacts } from './situation/process.ts'
import { createReadSituation } from './situation/read-situation.ts'
import { createGivenReferences } from './statements/given-references.ts'

/** What operators do, through internal services. */
export const createOperatorServices = (
  options: CoreOptions,
  { checks, vault }: { checks: CallerChecks; vault: Vault },
) => {
  const { config, database, log, metrics, randomBytes } = options
  const onSettled = (settlement: Settlement): void => {
    reportSettlements({ log, metrics }, [settlement])
    options.onDeliveriesDue()
  }
  return {
    partners: createPartnerService({ database, checks, vault, randomBytes, log }),
    paymentOperations: createPaymentOperationsService({
      database,
      checks,
      log,
      overdueAfterMs: config.operations.overdueAfterMs,
      fourEyes: config.operations.fourEyes,
      onSettled,
    }),
    accounts: createAccountService({
      database,
      checks,
      log,
      vault,
      defaultAccount: () => config.daraja.account,
      checkAccount: checkAccountAt(config.daraja),
    }),
    overview: createOverviewService({
      database,
      checks,
      log,
      readSituation: createReadSituation({
        overdueAfterMs: config.operations.overdueAfterMs,
        readProcess: () => readProcess(options),
        clock: options.clock,
      }),
    }),
    tokens: createTokenService({ database, checks, log, randomBytes }),
    operators: createOperatorService({ database, checks, log, randomBytes }),
    approvals: createApprovalService({
      database,
      checks,
      log,
      spoolFolder: config.callbacks.spoolFolder,
      onSettled,
    }),
    audit: createAuditService({ database, checks, log }),
    payers: createPayerService({
      database,
      checks,
      log,
      spoolFolder: config.callbacks.spoolFolder,
      fourEyes: config.operations.fourEyes,
    }),
    statements: createStatementService({
      database,
      checks,
      log,
      defaultAccount: () => config.daraja.account,
      openReferences: () => createGivenReferences(config.keys),
    }),
    deliveries: createDeliveryService({ database, checks, log, onDeliveriesDue: options.onDeliveriesDue }),
  }
}

/** A spool that cannot be read says so in the log, where it is used. */
const readProcess = async ({ spool, readAlarm }: CoreOptions): Promise<ProcessFacts> => ({
  spool: await lookAt(spool).catch(() => null),
  alarm: readAlarm(),
})

const lookAt = async (spool: CoreOptions['spool']): Promise<SpoolFacts> => {
  const [counted, freeBytes] = await Promise.all([spool.count(), spool.freeBytes()])
  return { ...counted, freeBytes }
}
