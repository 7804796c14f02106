import type { Answer } from './call.ts'
import { allTextOf, fieldInAnyCase, textOf } from './read-json.ts'

/** What the text of an answer to the registration says of it, the first rule that fits. */
const TEXT_RULES: readonly { text: RegExp; registered: boolean }[] = [
  { text: /\b(?:not|never)\b[\w ]{0,20}\bregistered|\bunregistered/i, registered: false },
  { text: /\b(?:already|previously)\W+(?:been )?registered|\bregistered already/i, registered: true },
]

/** M-PESA's code for success, and the usual one of Daraja. */
const DONE = new Set(['1000', '0'])

/**
 * True for an answer by which a shortcode is registered for Pull Transactions, null for any other. "Already registered"
 * counts whatever HTTP status and code it comes with: seen with 200, 400 and 500, under errorMessage and
 * ResponseDescription. An answer that says too much costs little: the first page is refused then, and it is registered
 * again.
 */
export const readRegistered = ({ status, json, text }: Answer): true | null => {
  const said = (json ? allTextOf(json) : text).replaceAll(/\s+/g, ' ')
  const rule = TEXT_RULES.find((one) => one.text.test(said))
  if (rule) return rule.registered ? true : null
  if (!json || status !== 200) return null
  if (fieldInAnyCase(json, 'errorCode') !== undefined || fieldInAnyCase(json, 'fault') !== undefined)
    return null
  const codes = ['ResponseStatus', 'ResponseCode'].map((name) => textOf(fieldInAnyCase(json, name))?.trim())
  return codes.every((code) => code === undefined || DONE.has(code)) ? true : null
}
