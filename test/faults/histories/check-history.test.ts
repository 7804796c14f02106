import { describe, expect, it } from 'vitest'
import { ARROWS } from '../../../src/core/payments/states.ts'
import { checkHistory } from './check-history.ts'
import type { Body, Call, PageCall, ReadCall, RequestCall, Seen } from './history.ts'

const bodyOf = (key: string, amountKes = 150): Body => ({
  phone: '254712345678',
  amountKes,
  reference: key,
  callbackUrl: 'https://example.com/callback',
})

const seen = (id: number, key: string, overrides: Partial<Seen> = {}): Seen => ({
  ...bodyOf(key),
  id,
  state: 'accepted',
  receipt: null,
  ...overrides,
})

type Instants = readonly [beganMs: number, endedMs: number]

const request = (
  key: string,
  [beganMs, endedMs]: Instants,
  answer: RequestCall['answer'],
  body: Body = bodyOf(key),
): Call => ({ kind: 'request', client: 0, beganMs, endedMs, key, body, answer })

const made = (id: number) => ({ kind: 'success', id }) as const
const duplicate = (id: number) => ({ kind: 'duplicate', id }) as const
const UNKNOWN = { kind: 'unknown' } as const
const REUSED = { kind: 'key_reused' } as const

const read = (
  id: number,
  [beganMs, endedMs]: Instants,
  payment: Seen | null,
  reader: ReadCall['reader'] = 'owner',
): Call => ({
  kind: 'read',
  client: 0,
  beganMs,
  endedMs,
  reader,
  id,
  answer: payment === null ? { kind: 'not_found' } : { kind: 'found', payment },
})

const page = (
  [beganMs, endedMs]: Instants,
  payments: Seen[],
  overrides: { before?: number; next?: number; walk?: number } = {},
): PageCall => ({
  kind: 'page',
  client: 0,
  beganMs,
  endedMs,
  walk: overrides.walk ?? 1,
  before: overrides.before ?? null,
  answer: { kind: 'page', payments, next: overrides.next ?? null },
})

const problems = (...history: Call[]): string[] => checkHistory(history, ARROWS)

describe('a history is right', () => {
  it.each<[string, Call[]]>([
    ['without calls', []],
    [
      'when one of several requests makes the payment',
      [
        request('a', [0, 9], duplicate(1)),
        request('a', [1, 5], made(1)),
        request('a', [2, 3], REUSED, bodyOf('a', 7)),
      ],
    ],
    [
      'when a request of which nothing was heard has made it',
      [request('a', [0, 1], UNKNOWN), request('a', [5, 6], duplicate(1))],
    ],
    [
      'when a request of which nothing was heard makes it later, with another body',
      [
        request('a', [0, 1], UNKNOWN, bodyOf('a', 7)),
        request('a', [2, 3], UNKNOWN),
        read(1, [4, 5], null),
        request('a', [6, 7], REUSED),
        read(1, [8, 9], seen(1, 'a', { amountKes: 7 })),
      ],
    ],
    [
      'when a payment is seen before its request is answered',
      [request('a', [0, 9], made(1)), page([1, 2], [seen(1, 'a')]), read(1, [3, 4], seen(1, 'a'))],
    ],
    [
      'when calls at once see it and do not',
      [request('a', [0, 9], made(1)), page([1, 8], [seen(1, 'a')]), page([2, 7], [], { walk: 2 })],
    ],
    [
      'when ids are drawn by requests at once in any order',
      [request('a', [0, 3], made(2)), request('b', [1, 4], made(1))],
    ],
    [
      'when states advance over what nobody read',
      [
        request('a', [0, 1], made(1)),
        read(1, [2, 3], seen(1, 'a')),
        read(1, [4, 6], seen(1, 'a', { state: 'failed' })),
        read(1, [5, 7], seen(1, 'a', { state: 'submitted' })),
        read(1, [8, 9], seen(1, 'a', { state: 'successful', receipt: 'R' })),
      ],
    ],
    [
      'when a push is to be repeated',
      [
        request('a', [0, 1], made(1)),
        read(1, [2, 3], seen(1, 'a', { state: 'submitting' })),
        read(1, [4, 5], seen(1, 'a')),
      ],
    ],
    [
      'when pages lead through all, and a new payment is on none',
      [
        request('a', [0, 1], made(1)),
        request('b', [2, 3], made(2)),
        page([4, 5], [seen(2, 'b')], { next: 2 }),
        request('c', [6, 7], made(3)),
        page([8, 9], [seen(1, 'a')], { before: 2 }),
      ],
    ],
    [
      'when a walk ends early',
      [
        request('a', [0, 1], made(1)),
        request('b', [2, 3], made(2)),
        page([4, 5], [seen(2, 'b')], { next: 2 }),
      ],
    ],
    ['when others find nothing', [request('a', [0, 1], made(1)), read(1, [2, 3], null, 'stranger')]],
  ])('%s', (_when, history) => {
    expect(problems(...history)).toEqual([])
  })
})

describe('a history is wrong', () => {
  it.each<[string, Call[], string]>([
    [
      'when a key has two payments',
      [request('a', [0, 1], made(1)), request('a', [2, 3], duplicate(2))],
      'a has 2 payments: 1, 2',
    ],
    [
      'when a payment is made twice',
      [request('a', [0, 1], made(1)), request('a', [2, 3], made(1))],
      'a: made a payment twice',
    ],
    [
      'when two keys have one payment',
      [request('a', [0, 1], made(1)), request('b', [0, 1], made(1))],
      'keys a and b have one payment, 1',
    ],
    [
      'when a duplicate is answered before anything can have been made',
      [request('a', [0, 1], duplicate(1)), request('a', [2, 3], made(1))],
      'a: is not found by a call that began 1 ms after it was there',
    ],
    [
      'when nobody can have made what is a duplicate',
      [request('a', [0, 1], duplicate(1))],
      'a: no request can have made its payment',
    ],
    [
      'when another body is a duplicate',
      [request('a', [0, 1], made(1)), request('a', [2, 3], duplicate(1), bodyOf('a', 7))],
      'a: another body was answered as a duplicate',
    ],
    [
      'when the same body is refused',
      [request('a', [0, 1], made(1)), request('a', [2, 3], REUSED)],
      'a: the same body was refused as another',
    ],
    [
      'when nothing was made, and a body is refused',
      [request('a', [2, 3], REUSED)],
      'a: no request can have made its payment',
    ],
    [
      'when a read after the answer does not see it',
      [request('a', [0, 1], made(1)), read(1, [4, 5], null)],
      'a: is not found by a call that began 3 ms after it was there',
    ],
    [
      'when a read does not see what another saw',
      [request('a', [0, 9], made(1)), page([1, 2], [seen(1, 'a')]), read(1, [4, 5], null)],
      'a: is not found by a call that began 2 ms after it was there',
    ],
    [
      'when it is read before it was asked for',
      [read(1, [0, 1], seen(1, 'a')), request('a', [2, 3], made(1))],
      'a: is not found by a call that began 1 ms after it was there',
    ],
    [
      'when it is read otherwise than asked for',
      [request('a', [0, 1], made(1)), read(1, [2, 3], seen(1, 'a', { amountKes: 7 }))],
      'a: is read as',
    ],
    ['when nobody asked for it', [read(1, [0, 1], seen(1, 'a'))], 'nobody asked for a, which is seen'],
    [
      'when an id shrinks',
      [request('a', [0, 1], made(2)), request('b', [2, 3], made(1))],
      'b has 1, asked for after a was answered with 2',
    ],
    [
      'when a state goes back',
      [
        request('a', [0, 1], made(1)),
        read(1, [2, 3], seen(1, 'a', { state: 'successful' })),
        read(1, [4, 5], seen(1, 'a', { state: 'submitted' })),
      ],
      'payment 1 is submitted after it was successful',
    ],
    [
      'when a page shows an older state than a read',
      [
        request('a', [0, 1], made(1)),
        read(1, [2, 3], seen(1, 'a', { state: 'failed' })),
        page([4, 5], [seen(1, 'a')]),
      ],
      'payment 1 is accepted after it was failed',
    ],
    [
      'when a receipt changes',
      [
        request('a', [0, 1], made(1)),
        read(1, [2, 3], seen(1, 'a', { state: 'successful', receipt: 'R' })),
        read(1, [4, 5], seen(1, 'a', { state: 'successful', receipt: 'S' })),
      ],
      'payment 1 has receipt S after R',
    ],
    [
      'when a page skips what lies between it and the one before',
      [
        request('a', [0, 1], made(1)),
        request('b', [2, 3], made(2)),
        page([4, 5], [seen(2, 'b')], { next: 2 }),
        page([6, 7], [], { before: 2 }),
      ],
      'walk 1: 1 is skipped, which was answered before',
    ],
    [
      'when a page repeats the one before',
      [
        request('a', [0, 1], made(1)),
        page([4, 5], [seen(1, 'a')], { next: 1 }),
        page([6, 7], [seen(1, 'a')], { before: 1 }),
      ],
      'walk 1: 1 is delivered twice',
    ],
    [
      'when a page is out of order',
      [
        request('a', [0, 1], made(1)),
        request('b', [2, 3], made(2)),
        page([4, 5], [seen(1, 'a'), seen(2, 'b')]),
      ],
      'walk 1: 2 is out of order',
    ],
    [
      'when another partner sees it',
      [request('a', [0, 1], made(1)), read(1, [2, 3], seen(1, 'a'), 'stranger')],
      'another partner sees payment 1',
    ],
    [
      'when an answer is none that is promised',
      [request('a', [0, 1], { kind: 'odd', text: '500 internal' })],
      'a request was answered 500 internal',
    ],
  ])('%s', (_when, history, problem) => {
    expect(problems(...history)).toContainEqual(expect.stringContaining(problem))
  })
})
