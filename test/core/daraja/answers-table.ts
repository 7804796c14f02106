// What Daraja's codes and texts mean, as literal examples: the table that every spelling of them is held against. Sources and
// reasons are in docs/daraja.md.

export type PushMeaning = 'accepted' | 'refused' | 'bad_token' | 'later' | 'unknown'

/** `errorCode` and `errorMessage` of an answer to a push, a query or a pull. */
export const ERRORS: readonly { code: string; text: string; means: PushMeaning }[] = [
  { code: '400.002.02', text: 'Bad Request - Invalid PhoneNumber', means: 'refused' },
  { code: '400.002.02', text: 'Bad Request - Invalid Remarks', means: 'refused' },
  { code: '400.002.05', text: 'Invalid Request Payload', means: 'refused' },
  { code: '400.003.01', text: 'Bad Request - Invalid ShortCode', means: 'refused' },
  { code: '400.003.02', text: 'Bad Request - Invalid Request', means: 'refused' },
  { code: '404.001.01', text: 'Resource not found', means: 'refused' },
  { code: '404.003.01', text: 'Resource not found', means: 'refused' },
  { code: '404.003.01', text: 'Invalid API call as no apiproduct match found', means: 'refused' },
  { code: '404.001.03', text: 'Invalid Access Token - no apiproduct match found', means: 'refused' },
  { code: '401.002.01', text: 'Error Occurred - no apiproduct match found', means: 'refused' },
  { code: '405.001', text: 'Method Not Allowed', means: 'refused' },
  { code: '500.001.1001', text: 'Merchant does not exist', means: 'refused' },
  { code: '500.001.1001', text: 'Wrong credentials', means: 'refused' },
  { code: '400.003.01', text: 'Invalid Access Token', means: 'bad_token' },
  { code: '400.003.01', text: 'Error Occurred - Invalid Access Token - x', means: 'bad_token' },
  { code: '401.001', text: 'Unauthorized', means: 'bad_token' },
  { code: '401.002.01', text: 'Error Occurred - Invalid Access Token - BRAhAAAAx', means: 'bad_token' },
  { code: '401.003.01', text: 'Error Occurred - Invalid Access Token - x', means: 'bad_token' },
  { code: '403.001', text: 'Access token expired', means: 'bad_token' },
  { code: '404.001.03', text: 'Invalid Access Token', means: 'bad_token' },
  { code: '404.001.04', text: 'Invalid Authentication Header', means: 'bad_token' },
  { code: '500.003.02', text: 'Error Occurred: Spike Arrest Violation', means: 'later' },
  { code: '500.003.03', text: 'Error Occurred: Quota Violation', means: 'later' },
  { code: '429.001', text: 'Quota Violation', means: 'later' },
  {
    code: '500.001.1001',
    text: 'Unable to lock subscriber, a transaction is already in process for the current subscriber',
    means: 'later',
  },
  { code: '500.001.1001', text: 'The transaction is being processed', means: 'unknown' },
  { code: '500.001.1001', text: 'The transaction does not Exist', means: 'unknown' },
  { code: '500.001.1001', text: 'Invalid Access Token', means: 'unknown' },
  { code: '500.003.02', text: 'System is busy. Please try again in few minutes.', means: 'unknown' },
  { code: '500.003.1001', text: 'Internal Server Error', means: 'unknown' },
  { code: '500.002.1001', text: 'Service is currently unreachable', means: 'unknown' },
]

export type ResultMeaning = 'paid' | 'failed' | 'unsettled'

/** `ResultCode` and `ResultDesc`, of a query and of a callback alike. */
export const RESULTS: readonly { code: string; text: string; means: ResultMeaning }[] = [
  { code: '0', text: 'The service request is processed successfully.', means: 'paid' },
  { code: '0', text: 'The transaction is still under processing', means: 'paid' },
  { code: '1', text: 'The balance is insufficient for the transaction.', means: 'failed' },
  { code: '1', text: 'The service request is processed.', means: 'failed' },
  { code: '17', text: 'System internal error.', means: 'failed' },
  { code: '26', text: 'System busy. The service request is rejected.', means: 'failed' },
  {
    code: '1001',
    text: 'Unable to lock subscriber, a transaction is already in process for the current subscriber',
    means: 'failed',
  },
  { code: '1019', text: 'Transaction has expired', means: 'failed' },
  { code: '1025', text: 'An error occurred while sending a push request', means: 'failed' },
  { code: '1032', text: 'Request cancelled by user', means: 'failed' },
  { code: '1037', text: 'DS timeout user cannot be reached', means: 'failed' },
  { code: '1037', text: 'No response from user.', means: 'failed' },
  { code: '2001', text: 'The initiator information is invalid.', means: 'failed' },
  { code: '9999', text: '', means: 'failed' },
  { code: '424242', text: 'A code that nobody knows', means: 'failed' },
  { code: '-1', text: 'A code below nothing', means: 'failed' },
  { code: 'E3008', text: 'Bad debt contract', means: 'failed' },
  { code: 'SFC_IC0003', text: 'The operator does not exist.', means: 'failed' },
  { code: '500.001.1001', text: 'Something else', means: 'failed' },
  { code: '4999', text: 'The transaction is still under processing', means: 'unsettled' },
  { code: '4999', text: '', means: 'unsettled' },
  { code: '1037', text: 'The transaction is still under processing', means: 'unsettled' },
  { code: '1', text: 'The transaction is being processed', means: 'unsettled' },
  { code: '500.001.1001', text: 'The transaction is being processed', means: 'unsettled' },
]

const ODD_NUMBERS = '-0 0.0 -0.0 0e0 0e99 0E-5 0e+5 1e-400 1032.0 1.032e3 1e1 1e400'

const ODD_TEXTS =
  '00 000 -0 +0 0.0 0. 0e0 0x0 0b0 0n +1032 01032 1032.0 1.032e3 1_032 1,032 Infinity 0,0 \uff10 \u0660 \u00d8 \u2070 0\u0308 \u200b0 0\u200d \u202e0'

/** What looks like a code and is not spelled as one: neither paid nor failed. As JSON. */
export const ODD_CODES: readonly string[] = [
  ...ODD_NUMBERS.split(' '),
  ...ODD_TEXTS.split(' ').map((text) => JSON.stringify(text)),
  ...['', ' ', '0 0', '1'.repeat(65)].map((text) => JSON.stringify(text)),
  ...'null true false [] [0] ["0"] {} {"0":0} {"toString":0,"valueOf":0}'.split(' '),
]

/** An answer to the registration for Pull Transactions: under which name it says it, and whether it is registered then. */
export const REGISTRATIONS: readonly {
  code: string
  text: string
  status: number | null
  registered: boolean
}[] = [
  { code: '1000', text: 'ShortCode Registered Successfully', status: 200, registered: true },
  { code: '0', text: 'Success', status: 200, registered: true },
  { code: '1001', text: 'ShortCode already Registered', status: null, registered: true },
  { code: '500.003.1001', text: 'Short code is already registered', status: null, registered: true },
  { code: '1001', text: 'The shortcode has already been registered', status: null, registered: true },
  { code: '1001', text: 'ShortCode not registered', status: null, registered: false },
  { code: '1001', text: 'ShortCode is not yet registered', status: null, registered: false },
  { code: '1001', text: 'Invalid ShortCode', status: null, registered: false },
]
