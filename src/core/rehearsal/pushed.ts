import { type CallbackTokens, parseNonce } from '../callback/token.ts'

/** What the body of a push says, and whose callback URL it carries. */
export type Pushed = { paymentId: bigint; nonce: string | null; msisdn: string; amountKes: number }

/** Reads the body of a push; null when it is none, or its callback URL is none of ours. */
export const readPush = (body: unknown, tokens: CallbackTokens): Pushed | null => {
  const isPush = typeof body === 'object' && body !== null && 'CallBackURL' in body
  if (!isPush || !('PhoneNumber' in body) || !('Amount' in body)) return null
  const url = URL.parse(String(body.CallBackURL))
  const paymentId = tokens.read(url?.pathname.split('/').at(-1) ?? '')
  if (paymentId === null) return null
  return {
    paymentId,
    nonce: parseNonce(url?.searchParams.get('nonce') ?? ''),
    msisdn: String(body.PhoneNumber),
    amountKes: Number(body.Amount),
  }
}
