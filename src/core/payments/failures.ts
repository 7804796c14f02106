import { FailureReason } from '../../gen/mpesa/gateway/v1/payments_pb.js'

/** Why a payment failed, whether the same request may still go through, and what to say to its payer. */
export type Failure = {
  reason: FailureReason
  /** Whether the same request to the same payer may go through, once the payer has done what the message says. */
  worthRetrying: boolean
  message: { en: string; sw: string }
}

/** A row of the table: the result codes that mean it, each as a payment has it. */
export type FailureRow = Failure & { codes: readonly string[] }

const row = (
  codes: readonly string[],
  reason: FailureReason,
  worthRetrying: boolean,
  en: string,
  sw: string,
): FailureRow => ({ codes, reason, worthRetrying, message: { en, sw } })

const UNKNOWN = row(
  [],
  FailureReason.UNKNOWN,
  false,
  'The payment did not go through. Ask the business how you can pay.',
  'Malipo hayakukamilika. Uliza biashara jinsi unavyoweza kulipa.',
)

const REFUSED = row(
  [],
  FailureReason.REQUEST_REFUSED,
  false,
  'M-PESA did not accept this request. Nothing was paid.',
  'M-PESA haikukubali ombi hili. Hakuna kilicholipwa.',
)

/**
 * Every reason, with the codes that M-PESA and the gateway give for it (docs/daraja.md, "Result codes"). A reason or a
 * code is added here, and never given another meaning: partners' programs decide by the names.
 */
export const FAILURES: readonly FailureRow[] = [
  row(
    ['1'],
    FailureReason.INSUFFICIENT_FUNDS,
    true,
    'There is not enough money in your M-PESA account. Add money, then try again.',
    'Hakuna pesa za kutosha kwenye akaunti yako ya M-PESA. Ongeza pesa, kisha ujaribu tena.',
  ),
  row(
    ['1031', '1032'],
    FailureReason.CANCELLED_BY_PAYER,
    false,
    'You cancelled the request on your phone. Nothing was paid.',
    'Umeghairi ombi kwenye simu yako. Hakuna kilicholipwa.',
  ),
  row(
    ['1037'],
    FailureReason.NO_ANSWER,
    true,
    'There was no answer from your phone. Keep it close to you, then try again.',
    'Hatukupata jibu kutoka kwa simu yako. Kaa nayo karibu, kisha ujaribu tena.',
  ),
  row(
    ['2001'],
    FailureReason.WRONG_PIN,
    true,
    'The M-PESA PIN was wrong, or this number has no M-PESA. Check both, then try again.',
    'PIN ya M-PESA si sahihi, au nambari hii haina M-PESA. Hakikisha, kisha ujaribu tena.',
  ),
  row(
    ['8006'],
    FailureReason.PIN_LOCKED,
    true,
    'Your M-PESA PIN is locked. Ask Safaricom to unlock it, then try again.',
    'PIN yako ya M-PESA imefungwa. Wasiliana na Safaricom ili ifunguliwe, kisha ujaribu tena.',
  ),
  row(
    ['1001'],
    FailureReason.PAYER_BUSY,
    true,
    'Another M-PESA request is open on your phone. Finish it, wait a minute, then try again.',
    'Kuna ombi lingine la M-PESA kwenye simu yako. Limalize, subiri dakika moja, kisha ujaribu tena.',
  ),
  row(
    ['1036'],
    FailureReason.PAYER_UNREACHABLE,
    true,
    'Your phone could not be reached. Make sure that it is on and has network, then try again.',
    'Simu yako haikupatikana. Hakikisha imewashwa na ina mtandao, kisha ujaribu tena.',
  ),
  row(
    ['E3008'],
    FailureReason.PAYER_NOT_ALLOWED,
    false,
    'M-PESA does not allow this payment from your number. Ask Safaricom why.',
    'M-PESA hairuhusu malipo haya kutoka kwa nambari yako. Wasiliana na Safaricom.',
  ),
  row(
    ['1019'],
    FailureReason.EXPIRED,
    true,
    'The M-PESA request ran out before it was confirmed. Please try again.',
    'Muda wa ombi la M-PESA uliisha kabla ya kuthibitishwa. Tafadhali jaribu tena.',
  ),
  row(
    ['1025', '9999'],
    FailureReason.PROMPT_FAILED,
    true,
    'M-PESA could not show the request on your phone. Please try again.',
    'M-PESA haikuweza kuonyesha ombi kwenye simu yako. Tafadhali jaribu tena.',
  ),
  row(
    ['NOT_PROMPTED'],
    FailureReason.NOT_PROMPTED,
    true,
    'The request did not reach your phone in time. Nothing was paid; please try again.',
    'Ombi halikufika kwenye simu yako kwa wakati. Hakuna kilicholipwa; tafadhali jaribu tena.',
  ),
  row(
    ['2'],
    FailureReason.AMOUNT_TOO_SMALL,
    false,
    'This amount is below what M-PESA allows for one payment.',
    'Kiasi hiki ni chini ya kile ambacho M-PESA inaruhusu kwa malipo ya mara moja.',
  ),
  row(
    ['3'],
    FailureReason.AMOUNT_TOO_LARGE,
    false,
    'This amount is above what M-PESA allows for one payment.',
    'Kiasi hiki kimezidi kile ambacho M-PESA inaruhusu kwa malipo ya mara moja.',
  ),
  row(
    ['4'],
    FailureReason.DAILY_LIMIT_REACHED,
    false,
    'This payment is above what you can still pay with M-PESA today. Try again tomorrow.',
    'Malipo haya yamezidi kikomo chako cha M-PESA cha siku moja. Jaribu tena kesho.',
  ),
  row(
    ['8'],
    FailureReason.BALANCE_LIMIT_REACHED,
    false,
    'M-PESA cannot take this payment, for an account would hold more than it may.',
    'M-PESA haiwezi kupokea malipo haya kwa sababu salio la akaunti litazidi kikomo.',
  ),
  row(
    ['17'],
    FailureReason.REPEATED_TOO_SOON,
    true,
    'The same amount was paid just now. Wait two minutes, then try again.',
    'Kiasi hicho hicho kimelipwa muda mfupi uliopita. Subiri dakika mbili, kisha ujaribu tena.',
  ),
  row(
    ['26'],
    FailureReason.MPESA_BUSY,
    true,
    'M-PESA is very busy at the moment. Please try again in a few minutes.',
    'M-PESA ina shughuli nyingi kwa sasa. Tafadhali jaribu tena baada ya dakika chache.',
  ),
  row(
    ['2028', 'SFC_IC0003'],
    FailureReason.MERCHANT_NOT_ALLOWED,
    false,
    'This business cannot take M-PESA payments at the moment. Nothing was paid.',
    'Biashara hii haiwezi kupokea malipo ya M-PESA kwa sasa. Hakuna kilicholipwa.',
  ),
  REFUSED,
  row(
    ['NOT_PAID'],
    FailureReason.NOT_PAID,
    false,
    'The payment was not made. Ask the business how you can pay.',
    'Malipo hayakufanyika. Uliza biashara jinsi unavyoweza kulipa.',
  ),
  row(
    ['CANCELLED'],
    FailureReason.CANCELLED,
    false,
    'The business cancelled this request. Nothing was paid.',
    'Biashara imeghairi ombi hili. Hakuna kilicholipwa.',
  ),
  UNKNOWN,
]

const BY_CODE = new Map(FAILURES.flatMap((failure) => failure.codes.map((code) => [code, failure] as const)))

/** A code of Daraja's own, with which it refuses the request for a prompt: `400.002.02`, `405.001`, `fault_401`. */
const ERROR_CODE = /^(?:\d{3}\.\d{3}(?:\.\d{2,4})?|fault_\d{3})$/

/** Why a payment with this result code failed; by the code alone, for the text differs by channel and year. Pure. */
export const failureOf = (resultCode: string): Failure =>
  BY_CODE.get(resultCode) ?? (ERROR_CODE.test(resultCode) ? REFUSED : UNKNOWN)
