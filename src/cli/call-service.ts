import { randomBytes } from 'node:crypto'
import type { DeliveryParts } from '../core/services/delivery-methods.ts'
import { createOperatorClient, type OperatorClient } from '../core/services/operator-client.ts'
import type { PartnerParts } from '../core/services/partner-key-methods.ts'
import { type FieldProblem, Refused } from '../core/services/refused.ts'
import type { DeliveryService } from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import { createLog } from '../runtime/log.ts'
import type { Vault } from '../runtime/seal.ts'
import { useDatabase } from './database.ts'
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
    throw new CommandError(error.wrong === null ? error.message : textOf(error.wrong))
  }
}

/** The options of those fields that have another name. */
const OPTIONS: Readonly<Record<string, string>> = {
  expires_in_seconds: '--expires-in',
  'settings.callback_hosts': '--callback-host',
  'settings.requests_per_second': '--rate',
  'settings.max_payment_kes': '--max-payment',
  'settings.max_daily_kes': '--max-daily',
}

const textOf = ({ field, problem }: FieldProblem): string => {
  const option = OPTIONS[field] ?? `--${field.replace('filter.', '').replaceAll('_', '-')}`
  return `${option} ${problem}${field.startsWith('settings.') ? ', or none' : ''}`
}
