import { expect, test } from 'vitest'
import { PLAIN } from '../../src/simulator/behaviour.ts'
import { createLedger, type Prompt } from '../../src/simulator/ledger.ts'

const promptOf = (checkoutRequestId: string): Prompt => ({
  checkoutRequestId,
  merchantRequestId: '2654-4b64-97ff-b827b542881d3130',
  shortcode: '174379',
  phone: '254712345678',
  amountKes: 150,
  accountReference: 'INV2025001',
  callbackUrl: 'http://127.0.0.1:9/callbacks/stk/1',
  warnings: [],
  outcomes: [],
  behaviour: PLAIN,
  chosen: [],
  subject: 'push 254712345678 150 1',
  promptedAt: new Date('2026-05-04T18:04:10Z'),
  result: null,
  queries: 0,
  transactions: [],
  callbacks: [],
})

test('a full ledger forgets the oldest prompt and still counts it', () => {
  const ledger = createLedger({ maxPrompts: 2 })
  for (const id of ['ws_CO_1', 'ws_CO_2', 'ws_CO_3']) ledger.add(promptOf(id))
  expect(ledger.find('ws_CO_1')).toBeUndefined()
  expect(ledger.prompts().map((prompt) => prompt.checkoutRequestId)).toEqual(['ws_CO_2', 'ws_CO_3'])
  expect(ledger.forgotten()).toBe(1)
  expect(ledger.totals().prompts).toBe(3)
})

test('a cleared ledger starts to count again', () => {
  const ledger = createLedger({ maxPrompts: 2 })
  ledger.add(promptOf('ws_CO_1'))
  ledger.totals().pushes += 1
  ledger.countMisbehaviours(['push-cut', 'push-cut'])
  expect(ledger.misbehaviours()).toEqual({ 'push-cut': 2 })
  ledger.clear()
  expect(ledger.misbehaviours()).toEqual({})
  ledger.add(promptOf('ws_CO_2'))
  expect(ledger.totals()).toMatchObject({ pushes: 0, prompts: 1 })
  expect(ledger.prompts()).toHaveLength(1)
})
