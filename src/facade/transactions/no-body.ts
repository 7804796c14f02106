import type { onRequestHookHandler } from 'fastify'
import { refusal } from '../answers.ts'
import { MAX_BODY_BYTES, MESSAGES, tooLarge } from '../errors.ts'

// Of a POST that needs no body.

/** A body without a byte is none, whatever it is declared as: curl's `-d ''` and Python's `urllib` call it a form. */
export const ignoreEmptyBody: onRequestHookHandler = ({ headers }, _reply, done) => {
  if (headers['content-length'] === '0') delete headers['content-type']
  done()
}

/** What one that is sent all the same may be answered. */
export const NEEDLESS_BODY_ERRORS = {
  '413': refusal(`A body was sent, of more than ${MAX_BODY_BYTES} bytes.`, tooLarge(MAX_BODY_BYTES)),
  '415': refusal(
    'A body was sent that is not declared as `application/json`, or is compressed.',
    MESSAGES.notJson,
  ),
}
