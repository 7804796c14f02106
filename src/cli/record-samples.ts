import { type Actor, recordAudit } from '../core/audit/record-audit.ts'
import type { Database } from '../database/connect.ts'
import { systemClock } from '../runtime/clock.ts'
import type { CallbackUrl } from '../values/callback-url.ts'
import { endpointHost } from '../values/endpoint.ts'
import type { SignSample } from './send-samples.ts'

/**
 * Writes into the audit log, before anything is sent, who has samples sent to a partner's endpoint; `outcomes`: which,
 * null for every one. Throws `Refused`, and writes nothing, where they could not be signed.
 */
export const recordSamples = async (
  { database, sign }: { database: Database; sign: SignSample },
  sent: { actor: Actor; partnerId: bigint; url: CallbackUrl; outcomes: readonly string[] | null },
): Promise<void> => {
  const { actor, partnerId, url, outcomes } = sent
  await sign({ webhook_id: 'test_', started_at: systemClock(), body: '' })
  await database.transaction().execute((transaction) =>
    recordAudit(transaction, {
      actor,
      action: 'tested',
      subject: { kind: 'endpoint', id: endpointHost(url) },
      partnerId,
      before: null,
      after: { outcome: outcomes?.join(' ') ?? 'all' },
    }),
  )
}
