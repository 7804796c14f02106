/** An answer that refuses: Daraja's code and message, and the HTTP status that goes with the code. */
export type DarajaError = { status: number; code: string; message: string }

const darajaError = (code: string, message: string): DarajaError => ({
  // The first three digits of every code are the HTTP status that it comes with.
  status: Number(code.slice(0, 3)),
  code,
  message,
})

export const INVALID_AUTHENTICATION = darajaError('400.008.01', 'Invalid Authentication passed')
export const INVALID_GRANT_TYPE = darajaError('400.008.02', 'Invalid grant type passed')
export const INVALID_PAYLOAD = darajaError('400.002.05', 'Invalid Request Payload')
export const RESOURCE_NOT_FOUND = darajaError('404.001.01', 'Resource not found')
export const INVALID_ACCESS_TOKEN = darajaError('404.001.03', 'Invalid Access Token')
export const INVALID_AUTHENTICATION_HEADER = darajaError('404.001.04', 'Invalid Authentication Header')
export const METHOD_NOT_ALLOWED = darajaError('405.001', 'Method Not Allowed')
export const WRONG_CREDENTIALS = darajaError('500.001.1001', 'Wrong credentials')
export const NO_SUCH_TRANSACTION = darajaError('500.001.1001', 'The transaction does not Exist')
export const SUBSCRIBER_LOCKED = darajaError(
  '500.001.1001',
  'Unable to lock subscriber, a transaction is already in process for the current subscriber',
)
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
