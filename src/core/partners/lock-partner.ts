import type { Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { type PartnerSettingsRow, SETTINGS_COLUMNS } from './calling-partner.ts'

/** What a change of a partner looks at before it decides. */
export type LockedPartner = PartnerSettingsRow & RowOf<'partners', 'id' | 'disabled_at'>

/**
 * Locks a partner's row until the transaction ends, so that two changes of the partner come one after the other;
 * undefined when there is no such partner. FOR NO KEY UPDATE: a stronger lock would also stop each insert of a row that
 * refers to the partner.
 */
export const lockPartner = (
  transaction: Transaction<Schema>,
  partnerId: bigint,
): Promise<LockedPartner | undefined> =>
  transaction
    .selectFrom('partners')
    .select(['id', 'disabled_at', ...SETTINGS_COLUMNS])
    .where('id', '=', partnerId)
    .forNoKeyUpdate()
    .executeTakeFirst()
