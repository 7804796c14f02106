import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { now, today } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { type PartnerSettings, toPartnerSettings } from './calling-partner.ts'
import { type LockedPartner, lockPartner } from './lock-partner.ts'

type Change = { database: Database; partnerId: bigint; actor: Actor }

/**
 * Disables a partner, or enables it again. Every replica refuses its requests within five seconds, nobody is prompted
 * for it any more, and outcomes are delivered as before. False when there is no such partner; one that is so already is
 * left as it is.
 */
export const setDisabled = (options: Change & { isDisabled: boolean }): Promise<boolean> =>
  change(options, async (transaction, row) => {
    if ((row.disabled_at !== null) === options.isDisabled) return
    const { disabled_at } = await transaction
      .updateTable('partners')
      .set({ disabled_at: options.isDisabled ? now : null })
      .where('id', '=', row.id)
      .returning('disabled_at')
      .executeTakeFirstOrThrow()
    await recordAudit(transaction, {
      actor: options.actor,
      action: options.isDisabled ? 'disabled' : 'enabled',
      subject: { kind: 'partner', id: row.id },
      partnerId: row.id,
      before: { disabled_at: row.disabled_at },
      after: { disabled_at },
    })
  })

/**
 * Sets what `settings` names and leaves the others; they hold within five seconds. False when there is no such partner.
 */
export const setPartnerSettings = (
  options: Change & { settings: Partial<PartnerSettings> },
): Promise<boolean> =>
  change(options, async (transaction, row) => {
    const before = toPartnerSettings(row)
    const after = { ...before, ...options.settings }
    await transaction
      .updateTable('partners')
      .set({
        callback_hosts: after.callbackHosts === null ? null : [...after.callbackHosts],
        requests_per_second: after.requestsPerSecond,
        max_payment_kes: after.maxPaymentKes,
        max_daily_kes: after.maxDailyKes === null ? null : BigInt(after.maxDailyKes),
      })
      .where('id', '=', row.id)
      .execute()
    // What was asked for without a limit was not counted: with the next request it is.
    if (before.maxDailyKes === null && after.maxDailyKes !== null)
      await transaction
        .updateTable('partner_days')
        .set({ asked_kes: 0n })
        .where('partner_id', '=', row.id)
        .where('day', '=', today)
        .execute()
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'set',
      subject: { kind: 'partner', id: row.id },
      partnerId: row.id,
      before: toFields(before),
      after: toFields(after),
    })
  })

/** The settings under the names that operators know. */
const toFields = (settings: PartnerSettings) => ({
  callback_hosts: settings.callbackHosts,
  requests_per_second: settings.requestsPerSecond,
  max_payment_kes: settings.maxPaymentKes,
  max_daily_kes: settings.maxDailyKes,
})

const change = (
  options: Change,
  make: (transaction: Transaction<Schema>, row: LockedPartner) => Promise<void>,
): Promise<boolean> =>
  options.database.transaction().execute(async (transaction) => {
    const row = await lockPartner(transaction, options.partnerId)
    if (!row) return false
    await make(transaction, row)
    return true
  })
