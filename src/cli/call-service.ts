import { randomBytes } from 'node:crypto'
import type { AccountParts } from '../core/services/account-methods.ts'
import type { AuditParts } from '../core/services/audit-methods.ts'
import type { ApprovalParts } from '../core/services/decide-approval.ts'
import type { DeliveryParts } from '../core/services/delivery-methods.ts'
import { createOperatorClient } from '../core/services/operator-client.ts'
import type { OperatorParts } from '../core/services/operator-methods.ts'
import type { OverviewParts } from '../core/services/overview-methods.ts'
import type { PartnerParts } from '../core/services/partner-key-methods.ts'
import type { PayerParts } from '../core/services/payer-methods.ts'
import type { PaymentOperationsParts } from '../core/services/payment-operations-parts.ts'
import { type FieldProblem, Refused } from '../core/services/refused.ts'
import type { StatementParts } from '../core/services/statement-methods.ts'
import type { TokenParts } from '../core/services/token-methods.ts'
import type { AccountService } from '../gen/mpesa/gateway/v1/accounts_pb.js'
import type { ApprovalService } from '../gen/mpesa/gateway/v1/approvals_pb.js'
import type { AuditService } from '../gen/mpesa/gateway/v1/audit_pb.js'
import type { DeliveryService } from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { OperatorService } from '../gen/mpesa/gateway/v1/operators_pb.js'
import type { OverviewService } from '../gen/mpesa/gateway/v1/overview_pb.js'
import type { PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import type { PayerService } from '../gen/mpesa/gateway/v1/payers_pb.js'
import type { PaymentOperationsService } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import type { StatementService } from '../gen/mpesa/gateway/v1/statements_pb.js'
import type { TokenService } from '../gen/mpesa/gateway/v1/tokens_pb.js'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import type { OperatorClient } from '../runtime/operator-client.ts'
import type { Vault } from '../runtime/seal.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import { readDefaultAccount, readDefaultNumbers } from './default-account.ts'
import type { Environment } from './environment.ts'
import { toOperator } from './options.ts'
import { CommandError } from './output.ts'

/** A command prints what it did; the events of the methods are for the log of a service. */
const log = createLog({ name: 'gateway', level: 'silent' })

// The methods are imported where they are used, so that a command reads the sources of one service only.

/** Calls methods of PartnerService in this process, as the operator at this shell; `by` is what `--by` gave. */
export const usePartners = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (partners: OperatorClient<typeof PartnerService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database, openVault) => {
    const { PartnerService: service } = await import('../gen/mpesa/gateway/v1/partners_pb.js')
    const { partnerMethods: methods } = await import('../core/services/partner-methods.ts')
    const parts: PartnerParts = { database, vault: openedWhenUsed(openVault), randomBytes, log }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of DeliveryService. Dispatchers find what is due by themselves. */
export const useDeliveries = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (deliveries: OperatorClient<typeof DeliveryService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { DeliveryService: service } = await import('../gen/mpesa/gateway/v1/deliveries_pb.js')
    const { deliveryMethods: methods } = await import('../core/services/delivery-methods.ts')
    const parts: DeliveryParts = { database, log, onDeliveriesDue: () => undefined }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of PaymentOperationsService; a payment is overdue as the environment says. */
export const usePaymentOperations = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (payments: OperatorClient<typeof PaymentOperationsService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { PaymentOperationsService: service } = await import(
      '../gen/mpesa/gateway/v1/payment_operations_pb.js'
    )
    const { paymentOperationsMethods: methods } = await import(
      '../core/services/payment-operations-methods.ts'
    )
    const { OPEN_PAYMENT_ALERT_AFTER_MS: overdueAfterMs, FOUR_EYES: fourEyes } = readConfig(
      await withRunningDatabase(environment),
      ['OPEN_PAYMENT_ALERT_AFTER_MS', 'FOUR_EYES'],
    )
    const reader = 'anybody' as const
    const parts: PaymentOperationsParts = {
      database,
      log,
      reader,
      overdueAfterMs,
      fourEyes,
      onSettled: () => undefined,
    }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of TokenService. */
export const useTokens = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (tokens: OperatorClient<typeof TokenService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { TokenService: service } = await import('../gen/mpesa/gateway/v1/tokens_pb.js')
    const { tokenMethods: methods } = await import('../core/services/token-methods.ts')
    const parts: TokenParts = { database, randomBytes, log }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of OperatorService. */
export const useOperators = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (operators: OperatorClient<typeof OperatorService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { OperatorService: service } = await import('../gen/mpesa/gateway/v1/operators_pb.js')
    const { operatorMethods: methods } = await import('../core/services/operator-methods.ts')
    const parts: OperatorParts = { database, randomBytes, log }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of AccountService. */
export const useAccounts = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (accounts: OperatorClient<typeof AccountService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database, openVault) => {
    const { AccountService: service } = await import('../gen/mpesa/gateway/v1/accounts_pb.js')
    const { accountMethods: methods } = await import('../core/services/account-methods.ts')
    const { checkAccountAt } = await import('../core/daraja/check-account.ts')
    const found = await withRunningDatabase(environment)
    const parts: AccountParts = {
      database,
      log,
      vault: openedWhenUsed(openVault),
      defaultAccount: () => readDefaultAccount(found),
      checkAccount: (account) => {
        const config = readConfig(found, ['DARAJA_BASE_URL', 'DARAJA_TIMEOUT_MS'])
        return checkAccountAt({ baseUrl: config.DARAJA_BASE_URL, timeoutMs: config.DARAJA_TIMEOUT_MS })(
          account,
        )
      },
    }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of AuditService. */
export const useAudit = <Result>(
  environment: Environment,
  work: (audit: OperatorClient<typeof AuditService>) => Promise<Result>,
): Promise<Result> =>
  useDatabase(environment, async (database) => {
    const { AuditService: service } = await import('../gen/mpesa/gateway/v1/audit_pb.js')
    const { auditMethods: methods } = await import('../core/services/audit-methods.ts')
    const parts: AuditParts = { database, log }
    return answered(work(createOperatorClient({ service, methods, parts, actor: toOperator(undefined) })))
  })

/** The same with methods of OverviewService; spool and marks are those of this machine. */
export const useOverview = <Result>(
  environment: Environment,
  work: (overview: OperatorClient<typeof OverviewService>) => Promise<Result>,
): Promise<Result> =>
  useDatabase(
    environment,
    async (database) => {
      const { OverviewService: service } = await import('../gen/mpesa/gateway/v1/overview_pb.js')
      const { overviewMethods: methods } = await import('../core/services/overview-methods.ts')
      const { readSituationHere } = await import('./situation-here.ts')
      const readSituation = await readSituationHere(environment, database)
      const parts: OverviewParts = { database, log, readSituation }
      return answered(work(createOperatorClient({ service, methods, parts, actor: toOperator(undefined) })))
    },
    { isLooking: true },
  )

/** The same with methods of ApprovalService; the spool is that of this machine. */
export const useApprovals = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (approvals: OperatorClient<typeof ApprovalService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { ApprovalService: service } = await import('../gen/mpesa/gateway/v1/approvals_pb.js')
    const { approvalMethods: methods } = await import('../core/services/approval-methods.ts')
    const { SPOOL_DIR: spoolFolder } = readConfig(await withRunningDatabase(environment), ['SPOOL_DIR'])
    const parts: ApprovalParts = { database, log, spoolFolder, onSettled: () => undefined }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The same with methods of PayerService; the spool is that of this machine. */
export const usePayers = async <Result>(
  environment: Environment,
  by: string | undefined,
  work: (payers: OperatorClient<typeof PayerService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  const { PayerService: service } = await import('../gen/mpesa/gateway/v1/payers_pb.js')
  const { payerMethods: methods, requireReadableSpool } = await import('../core/services/payer-methods.ts')
  const { SPOOL_DIR: spoolFolder, FOUR_EYES: fourEyes } = readConfig(await withRunningDatabase(environment), [
    'SPOOL_DIR',
    'FOUR_EYES',
  ])
  // Before the database, whose marks are there too.
  await answered(requireReadableSpool(spoolFolder))
  return useDatabase(environment, async (database) => {
    const parts: PayerParts = { database, log, spoolFolder, fourEyes }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** The methods of StatementService. */
export type StatementClient = OperatorClient<typeof StatementService>

/** The same with methods of StatementService. */
export const useStatements = <Result>(
  environment: Environment,
  by: string | undefined,
  work: (statements: OperatorClient<typeof StatementService>) => Promise<Result>,
): Promise<Result> => {
  const actor = toOperator(by)
  return useDatabase(environment, async (database) => {
    const { StatementService: service } = await import('../gen/mpesa/gateway/v1/statements_pb.js')
    const { statementMethods: methods } = await import('../core/services/statement-methods.ts')
    const { createGivenReferences } = await import('../core/statements/given-references.ts')
    const found = await withRunningDatabase(environment)
    const parts: StatementParts = {
      database,
      log,
      defaultAccount: () => readDefaultNumbers(found),
      openReferences: () => {
        const config = readConfig(found, ['SECRET_KEY', 'SECRET_KEY_PREVIOUS'])
        return createGivenReferences({
          secretKey: config.SECRET_KEY,
          previousSecretKey: config.SECRET_KEY_PREVIOUS,
        })
      },
    }
    return answered(work(createOperatorClient({ service, methods, parts, actor })))
  })
}

/** Most methods seal nothing, and so most commands need no SECRET_KEY. */
const openedWhenUsed = (openVault: () => Vault): Vault => ({
  seal: (secret, identity) => openVault().seal(secret, identity),
  open: (sealed, identity) => openVault().open(sealed, identity),
  isCurrent: (sealed) => openVault().isCurrent(sealed),
})

/** What was answered; a refusal becomes a message for a person, who knows options and no fields. */
const answered = async <Result>(answer: Promise<Result>): Promise<Result> => {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    // A sentence that does not begin with its field needs no option before it either.
    const isOfField = error.wrong !== null && error.message.startsWith(`${error.wrong.field} `)
    throw new CommandError(isOfField ? textOf(error.wrong) : error.message)
  }
}

/** The options of those fields that have another name. */
const OPTIONS: Readonly<Record<string, string>> = {
  expires_in_seconds: '--expires-in',
  msisdn: '--phone',
  scopes: '--scope',
  subject_kind: '--subject',
  'settings.callback_hosts': '--callback-host',
  'settings.requests_per_second': '--rate',
  'settings.max_payment_kes': '--max-payment',
  'settings.max_daily_kes': '--max-daily',
}

const textOf = ({ field, problem }: FieldProblem): string => {
  const option = OPTIONS[field] ?? `--${field.replace('filter.', '').replaceAll('_', '-')}`
  return `${option} ${problem}${field.startsWith('settings.') ? ', or none' : ''}`
}
