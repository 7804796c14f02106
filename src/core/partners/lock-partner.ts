import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { PartnerId } from '../../values/ids.ts'
import type { PartnerSettingsRow } from './calling-partner.ts'

/** What a change of a partner looks at before it decides. */
export type LockedPartner = PartnerSettingsRow & { id: PartnerId; disabled_at: Date | null }

/**
 * Locks a partner's row until the transaction ends, so that two changes of the partner come one after the other; undefined when
 * there is no such partner. FOR NO KEY UPDATE: a stronger lock would also stop each insert of a row that refers to the partner.
 */
export const lockPartner = (
  transaction: Transaction<Schema>,
  partnerId: bigint,
): Promise<LockedPartner | undefined> =>
  transaction
    .selectFrom('partners')
    .select(['id', 'disabled_at', 'callback_hosts', 'requests_per_second', 'max_payment_kes'])
    .select('max_daily_kes')
    .where(sql<boolean>`id = ${partnerId}`)
    .forNoKeyUpdate()
    .executeTakeFirst()
