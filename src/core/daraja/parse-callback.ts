import { z } from 'zod'
import { fromDarajaTimestamp } from '../../values/instant.ts'
import { cutText } from '../../values/outside-text.ts'

/** What a callback says, as far as it is understood. */
export type StkCallback = {
  merchantRequestId: string | null
  checkoutRequestId: string | null
  /** "0" is paid, whatever else the body holds. */
  resultCode: string
  resultDesc: string
  /** Only of a paid one. */
  receipt: string | null
  amountKes: number | null
  transactionDate: Date | null
}

const textOrNumber = z.union([z.string(), z.number()]).transform(String)

const item = z.object({ Name: z.string(), Value: z.unknown().optional() })

const body = z.object({
  Body: z.object({
    stkCallback: z.object({
      MerchantRequestID: z.string().nullish(),
      CheckoutRequestID: z.string().nullish(),
      ResultCode: textOrNumber.refine((code) => code.trim() !== ''),
      ResultDesc: z.string().nullish(),
      CallbackMetadata: z
        .object({ Item: z.array(item).catch([]) })
        .nullish()
        .catch(null),
    }),
  }),
})

/**
 * Reads the bytes of a callback; null when they are not one. Items are found by name, numbers may be strings, and only
 * ResultCode 0 means paid: failures may carry metadata too. The payer's number is not read, for it may come masked.
 */
export const parseCallback = (bytes: Uint8Array): StkCallback | null => {
  const parsed = body.safeParse(parseJson(bytes))
  if (!parsed.success) return null
  const { stkCallback } = parsed.data.Body
  const items = new Map((stkCallback.CallbackMetadata?.Item ?? []).map(({ Name, Value }) => [Name, Value]))
  const resultCode = cutText(stkCallback.ResultCode.trim(), 64)
  const receipt = items.get('MpesaReceiptNumber')
  const amount = Number(items.get('Amount') ?? Number.NaN)
  const date = items.get('TransactionDate')
  return {
    merchantRequestId: toId(stkCallback.MerchantRequestID),
    checkoutRequestId: toId(stkCallback.CheckoutRequestID),
    resultCode,
    resultDesc: cutText(stkCallback.ResultDesc ?? '', 1000),
    receipt:
      resultCode === '0' && typeof receipt === 'string' && receipt !== '' ? cutText(receipt, 64) : null,
    amountKes: Number.isFinite(amount) ? amount : null,
    transactionDate:
      typeof date === 'number' || typeof date === 'string' ? fromDarajaTimestamp(String(date)) : null,
  }
}

const toId = (text: string | null | undefined): string | null => (text ? cutText(text, 128) : null)

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
