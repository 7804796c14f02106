import { parseCallback } from '../daraja/parse-callback.ts'
import type { Evidence } from '../settle/evidence.ts'
import type { ReceivedCallback } from './callback.ts'

/** A callback that is to be interpreted: its row, or as much of it as the process has that took it. */
export type ReadableCallback = Pick<ReceivedCallback, 'id' | 'nonce' | 'body'> & { payment_id: bigint }

/** What a callback says of the payment that its URL names, or why it says nothing that settles it. Pure. */
export const readEvidence = ({
  id,
  payment_id,
  nonce,
  body,
}: ReadableCallback):
  | { kind: 'evidence'; evidence: Evidence }
  | { kind: 'not_understood'; reason: string } => {
  const parsed = parseCallback(body)
  if (parsed.kind === 'not_understood') return parsed
  const { kind: _kind, ...said } = parsed
  return {
    kind: 'evidence',
    evidence: { ...said, paymentId: payment_id, cause: 'callback', callback: { id, nonce } },
  }
}
