/** An answer that refuses: Daraja's code and message, and the HTTP status that goes with the code. */
export type DarajaError = { status: number; code: string; message: string }

const darajaError = (
  code: string,
  message: string,
  // The first three digits of nearly every code are the HTTP status that it comes with.
  status = Number(code.slice(0, 3)),
): DarajaError => ({ status, code, message })

export const INVALID_AUTHENTICATION = darajaError('400.008.01', 'Invalid Authentication passed')
export const INVALID_GRANT_TYPE = darajaError('400.008.02', 'Invalid grant type passed')
export const INVALID_PAYLOAD = darajaError('400.002.05', 'Invalid Request Payload')
export const INVALID_SHORTCODE = darajaError('400.003.01', 'Bad Request - Invalid ShortCode')
export const INVALID_REQUEST = darajaError('400.003.02', 'Bad Request - Invalid Request')
export const RESOURCE_NOT_FOUND = darajaError('404.001.01', 'Resource not found')
export const NO_PRODUCT = darajaError('404.003.01', 'Invalid API call as no apiproduct match found')
export const INVALID_ACCESS_TOKEN = darajaError('404.001.03', 'Invalid Access Token')
/** The same refusal under the codes that are reported beside the documented one. */
export const INVALID_TOKEN_AS_400 = darajaError('400.003.01', 'Invalid Access Token')
export const INVALID_TOKEN_AS_401 = darajaError('401.002.01', 'Error Occurred - Invalid Access Token - x')
export const INVALID_AUTHENTICATION_HEADER = darajaError('404.001.04', 'Invalid Authentication Header')
export const METHOD_NOT_ALLOWED = darajaError('405.001', 'Method Not Allowed')
export const WRONG_CREDENTIALS = darajaError('500.001.1001', 'Wrong credentials')
export const UNKNOWN_MERCHANT = darajaError('500.001.1001', 'Merchant does not exist')
export const NO_SUCH_TRANSACTION = darajaError('500.001.1001', 'The transaction does not Exist')
export const STILL_PROCESSING = darajaError('500.001.1001', 'The transaction is being processed')
/** What the query says between right answers: the code is recorded, the words are ours. */
export const NO_ANSWER = darajaError('500.001.1001', 'Internal Server Error')
export const SUBSCRIBER_LOCKED = darajaError(
  '500.001.1001',
  'Unable to lock subscriber, a transaction is already in process for the current subscriber',
)
export const SPIKE_ARREST = darajaError('500.003.02', 'Error Occurred: Spike Arrest Violation')
export const QUOTA_VIOLATION = darajaError('500.003.03', 'Error Occurred: Quota Violation', 429)
export const SYSTEM_BUSY = darajaError('500.003.02', 'System is busy. Please try again in few minutes.')
export const ALREADY_REGISTERED = darajaError('500.003.1001', 'ShortCode already Registered')
export const INTERNAL_SERVER_ERROR = darajaError('500.003.1001', 'Internal server error')

/** The refusal of a field: Daraja names the field in the message. */
export const invalidField = (name: string): DarajaError =>
  darajaError('400.002.02', `Bad Request - Invalid ${name}`)

/** The body of an error answer. */
export const errorBody = (error: DarajaError, requestId: string): Record<string, string> => ({
  requestId,
  errorCode: error.code,
  errorMessage: error.message,
})
