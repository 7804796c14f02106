import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { PaymentRow } from './find.ts'
import { lookForPayments } from './list.ts'
import type { Page } from './payment-filter.ts'

/**
 * The payments that `listPayments` lists, by one look after the other: where hardly any fits none of them takes long, nor
 * keeps what dies meanwhile, and whoever does not wait any more ends it after the one under way.
 */
export const listByLooks = async (
  database: Database,
  page: Page & { most?: number },
): Promise<PaymentRow[]> => {
  const found: PaymentRow[] = []
  for (let { before } = page; ; ) {
    const look = { ...page, limit: page.limit - found.length, before }
    const { payments, lookedTo } = await planByIndex(database, (transaction) =>
      lookForPayments(transaction, look),
    )
    found.push(...payments)
    if (lookedTo === null || found.length === page.limit) return found
    before = lookedTo
  }
}
