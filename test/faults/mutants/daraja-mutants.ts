import type { Mutant } from './mutant.ts'

const SENT = 'test/core/daraja/sent-or-not.test.ts'
const SPELLINGS = 'test/core/daraja/spellings.test.ts'
const CALLBACKS = 'test/core/daraja/parse-callback.test.ts'
const CONNECTIONS = 'test/core/submit/connections.test.ts'
const RESULT = 'src/core/daraja/read-result.ts'

/** What takes Daraja's words for others than they are, and a request for sent or not by a name. */
export const DARAJA_MUTANTS: readonly Mutant[] = [
  {
    name: 'a push counts as not sent by the name of its error',
    law: 2,
    file: 'src/core/daraja/exchange.ts',
    changes: [
      {
        find: "if (phase === 'waiting') end({ kind: 'not_sent'",
        replace: "if (phase === 'waiting' || /^E(?:HOST|NET)UNREACH/.test(reason)) end({ kind: 'not_sent'",
      },
      {
        find: "if (phase === 'written') end({ kind: 'no_answer', reason })",
        replace: "else if (phase === 'written') end({ kind: 'no_answer', reason })",
      },
    ],
    killedBy: { file: CONNECTIONS, test: 'is never made again: EHOSTUNREACH' },
  },
  {
    name: 'a push whose connection could not be made is unknown',
    law: 2,
    file: 'src/core/daraja/exchange.ts',
    changes: [
      {
        find: "if (phase === 'waiting') end({ kind: 'not_sent', reason, waited: false })",
        replace: "if (phase === 'waiting') end({ kind: 'no_answer', reason })",
      },
    ],
    killedBy: { file: SENT, test: 'when the certificate is not trusted, whatever is wrong with it' },
  },
  {
    name: 'a push that was given up leaves all the same',
    law: 2,
    file: 'src/core/daraja/exchange.ts',
    changes: [
      { find: "if (phase !== 'waiting') return controller.abort(new Error('given up'))", replace: '' },
    ],
    killedBy: { file: SENT, test: 'when no connection became free in time, and none leaves once one does' },
  },
  {
    name: 'pushes wait behind queries',
    law: 2,
    file: 'src/core/daraja/client.ts',
    changes: [
      { find: 'if (path === PUSH_PATH) return pushes', replace: '' },
      { find: 'connections: options.queries', replace: 'connections: options.pushes' },
    ],
    killedBy: { file: CONNECTIONS, test: 'hold up no push' },
  },
  {
    name: 'what is nearly 0 is paid',
    law: 4,
    file: RESULT,
    changes: [
      {
        find: 'if (WHOLE_NUMBER.test(text)) return text',
        replace: "if (Number(text) === 0) return '0'\n  if (WHOLE_NUMBER.test(text)) return text",
      },
    ],
    killedBy: { file: CALLBACKS, test: 'takes ResultCode "00" neither for paid nor for failed' },
  },
  {
    name: 'of two codes the last counts',
    law: 4,
    file: 'src/core/daraja/read-json.ts',
    changes: [
      {
        find: 'return values.length > 1 ? AMBIGUOUS : values[0]\n}\n\n/**\n * The same,',
        replace: 'return values.at(-1)\n}\n\n/**\n * The same,',
      },
    ],
    killedBy: { file: SPELLINGS, test: 'is neither paid nor failed when it has two codes, whichever' },
  },
  {
    name: 'a prompt that is still open has failed',
    law: 4,
    file: RESULT,
    changes: [{ find: ' || STILL_PROCESSING.test(resultDesc)', replace: '' }],
    killedBy: {
      file: 'test/core/daraja/spellings-of-answers.test.ts',
      test: 'to a query means what the table says, and nothing under an HTTP status that contradicts it',
    },
  },
  {
    name: 'a token is renewed under its documented codes alone',
    law: 6,
    file: 'src/core/daraja/classify-error.ts',
    changes: [
      {
        find: '{ code: /^40[0134]\\./, text: NAMES_BAD_TOKEN',
        replace: '{ code: /^404\\.001\\.03/, text: NAMES_BAD_TOKEN',
      },
      { find: '/^401\\.|^404\\.001\\.0[34]$/', replace: '/^404\\.001\\.0[34]$/' },
    ],
    killedBy: {
      file: 'test/core/daraja/token.test.ts',
      test: 'calls invalid by 401.002.01, HTTP 401 is renewed once, and the call repeated once',
    },
  },
  {
    name: 'a callback that is not understood is let lie',
    law: 6,
    file: 'src/core/payments/duties.ts',
    changes: [
      {
        find: ".where('payment_id', '=', anyOf('to_query.payment_id', paymentIds))",
        replace:
          ".where('payment_id', '=', anyOf('to_query.payment_id', paymentIds)).where(sql<boolean>`false`)",
      },
    ],
    killedBy: {
      file: 'test/core/callback/odd-callbacks.test.ts',
      test: 'has what became of the payment asked for: two codes',
    },
  },
  {
    name: 'payments are put off before their shortcode is registered',
    law: 6,
    file: 'src/core/reconcile/pull-transactions.ts',
    changes: [
      {
        find: 'if (!(await isRegistered({ daraja, msisdn: pull.msisdn }, stopping.signal))) continue\n',
        replace:
          'await takeConfirmations({ database: options.database, accountId, since, reconcileAfterMs: options.reconcileAfterMs, random: options.random })\n      if (!(await isRegistered({ daraja, msisdn: pull.msisdn }, stopping.signal))) continue\n',
      },
    ],
    killedBy: {
      file: 'test/core/reconcile/pull-transactions.test.ts',
      test: 'puts off nothing that is to be looked for, until it is there already',
    },
  },
]
