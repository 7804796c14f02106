import { createHash } from 'node:crypto'
import { toDarajaTimestamp } from '../values/instant.ts'
import type { Behaviour } from './behaviour.ts'
import type { Transaction } from './ledger.ts'
import type { Result } from './results.ts'

/** What a callback tells of. */
type Told = { merchantRequestId: string; checkoutRequestId: string; phone: string }

/** The parts of a behaviour that say how a callback is written. */
type Form = Pick<Behaviour, 'items' | 'numbers' | 'phoneForm' | 'failureItems' | 'spelling'>

/** An item of the metadata; without `Value` where Daraja leaves it out. */
type Item = { Name: string; Value?: number | string }

/** What the old forms say as the balance; the amount is nobody's. */
const BALANCE = 49_197

/**
 * The body of a callback, field by field in the recorded order. `transaction` is the money that moved, null when none did:
 * then there is usually no metadata. Times are East Africa Time.
 */
export const callbackBody = (options: {
  prompt: Told & { amountKes: number }
  result: Result
  transaction: Transaction | null
  form: Form
  endedAt: Date
}): string => {
  const { prompt, result, form } = options
  const items = itemsOf(options)
  const stkCallback = {
    MerchantRequestID: prompt.merchantRequestId,
    CheckoutRequestID: prompt.checkoutRequestId,
    ...resultIn(form, result),
    ...(items && {
      CallbackMetadata: {
        Item: beside(
          items.map((item) => inNumbers(item, form)),
          form,
        ),
      },
    }),
  }
  return respell(withDecimals(JSON.stringify({ Body: { stkCallback } }), form), form)
}

/** The code of an ending, whose text says that it is none. */
export const STILL_PROCESSING_RESULT = {
  ResultCode: 1037,
  ResultDesc: 'The transaction is still under processing',
}

const resultIn = ({ numbers, spelling }: Form, { code, callbackDescription }: Result) => {
  if (spelling === 'still-processing') return STILL_PROCESSING_RESULT
  const isText = numbers === 'strings' || spelling === 'odd-code'
  const text = spelling === 'odd-code' ? `0${code}` : String(code)
  return { ResultCode: isText ? text : code, ResultDesc: callbackDescription }
}

/** What is no item, before the items and after them. */
const beside = (items: readonly Item[], { spelling }: Form): readonly unknown[] =>
  spelling === 'odd-items' ? [null, {}, ...items, [], { Name: null, Value: 0 }] : items

const respell = (body: string, { spelling }: Form): string => {
  if (spelling === 'byte-order-mark') return `\ufeff${body}`
  return spelling === 'code-twice' ? body.replace('"ResultCode":', '"ResultCode":1032,$&') : body
}

const itemsOf = (options: Parameters<typeof callbackBody>[0]): Item[] | null => {
  const { prompt, transaction, form, endedAt } = options
  if (!transaction && form.failureItems === 'none') return null
  const amount = { Name: 'Amount', Value: transaction?.amountKes ?? prompt.amountKes }
  const receipt = { Name: 'MpesaReceiptNumber', ...(transaction && { Value: transaction.receipt }) }
  const date = { Name: 'TransactionDate', Value: Number(toDarajaTimestamp(transaction?.paidAt ?? endedAt)) }
  const phone = { Name: 'PhoneNumber', Value: phoneIn(form, prompt.phone) }
  const items = [amount, receipt, ...balanceIn(form), date, phone]
  return !transaction && form.failureItems === 'empty' ? items.map(({ Name }) => ({ Name })) : items
}

const balanceIn = ({ items }: Form): Item[] => {
  if (items === 'modern') return []
  return [{ Name: 'Balance', ...(items === 'balance' && { Value: BALANCE }) }]
}

/** `2547 ***** 126`, or SHA-256 of the number. */
const phoneIn = ({ phoneForm }: Form, phone: string): number | string => {
  if (phoneForm === 'whole') return Number(phone)
  if (phoneForm === 'masked') return `${phone.slice(0, 4)} ***** ${phone.slice(-3)}`
  return createHash('sha256').update(phone).digest('hex')
}

const inNumbers = (item: Item, { numbers }: Form): Item =>
  numbers === 'strings' && item.Value !== undefined ? { ...item, Value: String(item.Value) } : item

/** The old forms write money as `1.00`, which no JavaScript number keeps. */
const withDecimals = (body: string, { items }: Form): string =>
  items === 'modern' ? body : body.replaceAll(/("Name":"(?:Amount|Balance)","Value":"?\d+)/g, '$1.00')
