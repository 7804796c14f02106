import type { z } from 'zod'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { parseKes } from '../values/amount.ts'
import { fromDarajaTimestamp } from '../values/instant.ts'
import { maskMsisdn, parseMsisdn } from '../values/msisdn.ts'
import { maskCallbackUrl, type Play } from './callback.ts'
import { checkPassword, field, type Route, readFields, SIGNED, shortcodeField } from './calls.ts'
import type { Choose } from './choose.ts'
import type { Ids } from './ids.ts'
import type { Entry, Ledger, Prompt } from './ledger.ts'
import type { Tokens } from './oauth.ts'
import { Refused, SUBSCRIBER_LOCKED } from './wrong-reply.ts'

/** Daraja refuses a CallBackURL that holds one of these anywhere, in upper or lower case. */
const FORBIDDEN_IN_CALLBACK_URL = /mpesa|safaricom|exe|exec|cmd|sql|query/i
const MAX_ACCOUNT_REFERENCE_CHARACTERS = 12
const MAX_DESCRIPTION_CHARACTERS = 13
const EAT_OFFSET_MS = 3 * 60 * 60 * 1000
/** How far a sender's clock may be off before its timestamp is called wrong. */
const TIMESTAMP_TOLERANCE_MS = 5 * 60 * 1000

const isCallbackUrl = (text: string): boolean =>
  /^https?:\/\//i.test(text) && URL.canParse(text) && !FORBIDDEN_IN_CALLBACK_URL.test(text)

/** Strict where Daraja is known to refuse; `warningsAbout` says where clients get away with more than is documented. */
const PUSH = SIGNED.extend({
  TransactionType: field((text) => /^(CustomerPayBillOnline|CustomerBuyGoodsOnline)$/.test(text.trim())),
  Amount: field((text) => /^\d+$/.test(text) && parseKes(Number(text)).ok),
  PartyA: field((text) => parseMsisdn(text).ok),
  PartyB: shortcodeField,
  PhoneNumber: field((text) => parseMsisdn(text).ok),
  CallBackURL: field(isCallbackUrl),
  AccountReference: field((text) => text !== '' && text.length <= MAX_ACCOUNT_REFERENCE_CHARACTERS),
  // Documented as optional; recorded: a push without it is refused.
  TransactionDesc: field((text) => text !== ''),
})

type Push = z.infer<typeof PUSH>

const warningsAbout = (push: Push, now: Date): string[] =>
  [
    isNear(push.Timestamp, now) ? [] : 'Timestamp is now neither in East Africa Time nor in UTC',
    push.TransactionType === push.TransactionType.trim() ? [] : 'TransactionType has blanks around it',
    /^[A-Za-z0-9]+$/.test(push.AccountReference) ? [] : 'AccountReference holds more than letters and digits',
    push.TransactionDesc.length <= MAX_DESCRIPTION_CHARACTERS
      ? []
      : `TransactionDesc is longer than ${MAX_DESCRIPTION_CHARACTERS} characters`,
  ].flat()

/** Whether the digits, read as East Africa Time or as UTC, name about this instant. */
const isNear = (timestamp: string, now: Date): boolean => {
  const asEatMs = fromDarajaTimestamp(timestamp)?.getTime() ?? 0
  return [asEatMs, asEatMs + EAT_OFFSET_MS].some(
    (readMs) => Math.abs(readMs - now.getTime()) <= TIMESTAMP_TOLERANCE_MS,
  )
}

/**
 * `POST /mpesa/stkpush/v1/processrequest`: prompts a payer. Nothing is idempotent here: every push that is not refused
 * is a prompt of its own, also when it repeats another to the byte.
 */
export const registerStkPush = (
  route: Route,
  options: { tokens: Tokens; choose: Choose; ledger: Ledger; ids: Ids; clock: Clock; play: Play; log: Log },
): void => {
  const { tokens, choose, ledger, ids, clock, play, log } = options

  const prompt = (push: Push, consumerKey: string): Prompt => {
    const { PhoneNumber: phone } = push
    const amount = Number(push.Amount)
    const { behaviour, names, chosen, subject } = choose.push({ phone, amountKes: amount, consumerKey })
    const { answer, locksPayer, oldIds } = behaviour
    if (answer && answer !== 'after-callback' && !answer.prompted) throw new Refused(answer.wrong)
    if (locksPayer && hasOpenPrompt(ledger, phone)) throw new Refused(SUBSCRIBER_LOCKED)
    const entry: Entry = {
      checkout_request_id: oldIds ? ids.oldCheckoutRequestId() : ids.checkoutRequestId(phone),
      merchant_request_id: oldIds ? ids.oldRequestId() : ids.requestId(),
      shortcode: push.BusinessShortCode,
      phone,
      amount,
      account_reference: push.AccountReference,
      callback_url: push.CallBackURL,
      outcome: names.join('+') || 'paid',
      warnings: warningsAbout(push, clock()),
      at: clock(),
      queries: 0,
      transactions: [],
      callbacks: [],
    }
    const prompted = { entry, behaviour, chosen, subject, result: null }
    ledger.add(prompted)
    log.info(promptLine(entry), 'payer prompted')
    return prompted
  }

  const handle = async (push: Push, consumerKey: string) => {
    const prompted = prompt(push, consumerKey)
    await play(prompted)
    const { answer, numbersInAnswer } = prompted.behaviour
    const right = {
      MerchantRequestID: prompted.entry.merchant_request_id,
      CheckoutRequestID: prompted.entry.checkout_request_id,
      ResponseCode: numbersInAnswer ? 0 : '0',
      ResponseDescription: ACCEPTED,
      CustomerMessage: ACCEPTED,
    }
    return { right, wrong: answer === 'after-callback' ? undefined : answer?.wrong }
  }

  route('POST', '/mpesa/stkpush/v1/processrequest', async ({ headers, body, id }) => {
    ledger.totals.pushes += 1
    try {
      const consumerKey = tokens.consumerKeyOf(headers.authorization)
      const push = readFields(body, PUSH)
      checkPassword(push)
      return await handle(push, consumerKey)
    } catch (error) {
      if (error instanceof Refused) {
        ledger.totals.refused += 1
        log.warn({ requestId: id, answer: error.message }, 'push refused')
      }
      throw error
    }
  })
}

const ACCEPTED = 'Success. Request accepted for processing'

const hasOpenPrompt = (ledger: Ledger, phone: string): boolean =>
  ledger.prompts().some(({ entry, result }) => entry.phone === phone && result === null)

/** Without the CheckoutRequestID, which holds the phone number. */
const promptLine = (entry: Entry): Record<string, unknown> => ({
  merchantRequestId: entry.merchant_request_id,
  phone: maskMsisdn(entry.phone),
  amountKes: entry.amount,
  outcome: entry.outcome,
  callbackUrl: maskCallbackUrl(entry.callback_url),
  ...(entry.warnings.length > 0 && { warnings: entry.warnings }),
})
