import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { Clock } from '../runtime/clock.ts'
import { toGuideInstant } from '../values/instant.ts'
import type { Behaviour } from './behaviour.ts'
import { createBoundedMap } from './bounded-map.ts'
import type { Choose } from './choose.ts'
import { ALREADY_REGISTERED, errorBody, UNKNOWN_MERCHANT } from './daraja-errors.ts'
import { readFields } from './fields.ts'
import type { Ids } from './ids.ts'
import type { Ledger, Prompt, Transaction } from './ledger.ts'
import { PULL, REGISTRATION } from './pull-request.ts'
import type { Wait } from './timers.ts'
import type { Tokens } from './tokens.ts'
import { answer, refusal, type WrongReply } from './wrong-reply.ts'

export const PULL_REGISTER_PATH = '/pulltransactions/v1/register'
export const PULL_QUERY_PATH = '/pulltransactions/v1/query'

/** Rows in one answer at most. */
export const ROWS_A_PAGE = 100
/** How far back transactions are told. */
const TOLD_FOR_MS = 48 * 60 * 60 * 1000
const MAX_SHORTCODES = 1_000

type Row = { prompt: Prompt; transaction: Transaction }

/** A row as the API writes it: the amount is text, the date UTC. */
const rowView = ({ prompt, transaction }: Row): Record<string, unknown> => ({
  transactionId: transaction.receipt,
  trxDate: toGuideInstant(transaction.paidAt),
  msisdn: Number(prompt.phone),
  billreference: prompt.accountReference,
  amount: transaction.amountKes.toFixed(2),
})

/** A page of what a shortcode was paid from `StartDate` to `EndDate`, both included, in the order of payment. */
const pageOf = (options: {
  ledger: Ledger
  asked: z.infer<typeof PULL>
  behaviour: Behaviour
  now: Date
}): Row[] => {
  const { ledger, asked, behaviour, now } = options
  const from = Math.max(asked.StartDate.getTime(), now.getTime() - TOLD_FOR_MS)
  // The end names a whole second.
  const until = asked.EndDate.getTime() + 1000
  const rows = ledger
    .prompts()
    .filter((prompt) => prompt.shortcode === asked.ShortCode)
    .flatMap((prompt) => prompt.transactions.map((transaction) => ({ prompt, transaction })))
    .filter(({ transaction: { paidAt } }) => paidAt.getTime() >= from && paidAt.getTime() < until)
    .sort((one, other) => one.transaction.paidAt.getTime() - other.transaction.paidAt.getTime())
  const offset = behaviour.pullOffset === 'stands-still' ? 0 : asked.OffSetValue
  return rows.slice(offset, offset + ROWS_A_PAGE)
}

const pageBody = (rows: Row[], behaviour: Behaviour, requestId: string): Record<string, unknown> => {
  if (rows.length === 0) {
    return {
      ResponseRefID: requestId,
      ResponseCode: '1001',
      ResponseMessage: 'No transactions found',
      Response: [],
    }
  }
  const views = rows.map(rowView)
  return {
    ResponseRefID: requestId,
    ResponseCode: '1000',
    ResponseMessage: 'Success',
    // A list in a list: so it is documented.
    Response: behaviour.pullRows === 'nested' ? [views] : views,
  }
}

/** The right answer of a call, and what comes in its place all the same. */
type Act = { right: Record<string, unknown>; wrong: WrongReply | null }

const REGISTERED: Record<Behaviour['pullRegistered'], WrongReply | null> = {
  'http-200': null,
  'http-400': { kind: 'status', status: 400 },
  error: refusal(ALREADY_REGISTERED),
}

/**
 * Pull Transactions: `POST /pulltransactions/v1/register`, once for a shortcode, then `POST /pulltransactions/v1/query` lists
 * what the shortcode was paid in a window of time, a page at a time.
 */
export const registerPull = (
  server: FastifyInstance,
  options: { tokens: Tokens; choose: Choose; ledger: Ledger; ids: Ids; clock: Clock; wait: Wait },
): void => {
  const { tokens, choose, ledger, ids, clock, wait } = options
  const registered = createBoundedMap<string, true>(MAX_SHORTCODES)

  /** Takes a call of the given shape, and answers with what `act` makes of it, or with the fault that was chosen. */
  const serve = <Shape extends z.ZodObject<{ ShortCode: z.ZodType<string> }>>(
    path: string,
    shape: Shape,
    act: (asked: z.infer<Shape>, behaviour: Behaviour, requestId: string) => Act,
  ): void => {
    server.post(path, (request: FastifyRequest, reply: FastifyReply) => {
      const requestId = ids.requestId()
      const caller = tokens.judge(request.headers.authorization)
      if (!caller.ok) return reply.code(caller.error.status).send(errorBody(caller.error, requestId))
      const read = readFields(request.body, shape)
      if (!read.ok) return reply.code(read.error.status).send(errorBody(read.error, requestId))
      const { behaviour } = choose.pull(read.value.ShortCode, caller.consumerKey)
      const { right, wrong } = act(read.value, behaviour, requestId)
      return answer({ wrong: wrong ?? behaviour.pullFault, right, requestId, wait, request, reply })
    })
  }

  serve(PULL_REGISTER_PATH, REGISTRATION, ({ ShortCode }, behaviour, requestId) => {
    const isKnown = registered.get(ShortCode) === true
    if (!isKnown) registered.add(ShortCode, true)
    const right = {
      ResponseRefID: requestId,
      ResponseStatus: isKnown ? '1001' : '1000',
      ShortCode,
      ResponseDescription: `ShortCode ${isKnown ? 'already Registered' : 'Registered Successfully'}`,
    }
    return { right, wrong: isKnown ? REGISTERED[behaviour.pullRegistered] : null }
  })

  serve(PULL_QUERY_PATH, PULL, (asked, behaviour, requestId) =>
    registered.get(asked.ShortCode)
      ? {
          right: pageBody(pageOf({ ledger, asked, behaviour, now: clock() }), behaviour, requestId),
          wrong: null,
        }
      : { right: {}, wrong: refusal(UNKNOWN_MERCHANT) },
  )
}
