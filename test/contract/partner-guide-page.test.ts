import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SETTINGS } from '../../src/runtime/settings.ts'
import { PAYMENT_STATE_NAMES } from '../../src/values/payment-state.ts'
import { attempted } from '../core/deliveries/harness.ts'
import { ask, openFacade, PRODUCTION, partnerHeaders, push, type TestFacade } from '../facade/harness.ts'
import { DELIVERY_FIELDS } from '../support/guide.ts'
import { acceptUntouched } from '../support/payments.ts'

let page: string
let test: TestFacade
beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'partner-guide.md'), 'utf8')
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
})
afterAll(() => test.stop())

/** The page's blocks of one language. */
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, text]) => text?.trim() ?? '',
  )

/** The cells of the rows of the tables, as they are written. */
const rows = (): string[][] =>
  page
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

describe('the partner guide', () => {
  it('shows a request that is accepted, and its answers as they are', async () => {
    const [curl = ''] = blocks('sh')
    const body = /-d '([^']*)'/.exec(curl)?.[1] ?? ''
    const [success, refusal, duplicate] = blocks('json')
    const error = blocks('json').find((block) => block.includes('not a string'))
    const key = ['X-Idempotency-Key: guide']
    const first = await push(test, body, key)
    const again = await push(test, body, key)
    const withId = (answer = '') => answer.replace('102', String(JSON.parse(first.body).transaction_id))
    expect([first.body, again.body]).toEqual([withId(success), withId(duplicate)])
    expect((await push(test, '{}')).body).toBe(refusal)
    expect((await push(test, body.replace('150', '"150"'))).body).toBe(error)
  })

  it('shows the outcome with its ten fields in their order, and explains each', () => {
    const outcome = z.record(z.string(), z.unknown()).parse(JSON.parse(blocks('json')[3] ?? ''))
    expect(Object.keys(outcome)).toEqual(DELIVERY_FIELDS)
    const explained = rows().map(([cell = '']) => cell)
    for (const field of DELIVERY_FIELDS) expect(explained.join()).toContain(`\`${field}\``)
  })

  it('shows a transaction with the fields that it has', async () => {
    const shown = z.looseObject({ transaction: z.looseObject({}) }).parse(JSON.parse(blocks('json')[4] ?? ''))
    const [curl = ''] = blocks('sh')
    const { transaction_id } = JSON.parse((await push(test, /-d '([^']*)'/.exec(curl)?.[1] ?? '')).body)
    const { body } = await ask(test, `GET /api/v1/mpesa/transactions/${transaction_id}`, partnerHeaders(test))
    expect(Object.keys(shown.transaction)).toEqual(Object.keys(JSON.parse(body).transaction))
  })

  it('shows deliveries, and what is sent again, with the fields that they have', async () => {
    const paymentId = await acceptUntouched(test.database, test.partnerId)
    const path = `/api/v1/mpesa/transactions/${paymentId}`
    await ask(test, `POST ${path}/cancel`, partnerHeaders(test))
    const [delivery] = await test.database
      .selectFrom('deliveries')
      .select('id')
      .where('payment_id', '=', paymentId)
      .execute()
    await attempted(test.database, delivery?.id ?? 0n, { status: 500, errorClass: 'status', answer: 'no' })
    const keysOf = (text = ''): string[] => [...text.matchAll(/"(\w+)":/g)].map(([, key = '']) => key)
    const shown = (key: string) => keysOf(blocks('json').find((block) => block.includes(`"${key}"`)))
    const { body } = await ask(test, `GET ${path}/deliveries`, partnerHeaders(test))
    expect(keysOf(body)).toEqual(shown('deliveries'))
    for (const [key, asked] of [
      ['dry_run', '{"dry_run":true}'],
      ['resent', '{}'],
    ] as const) {
      const answer = await ask(test, 'POST /api/v1/mpesa/transactions/resend', partnerHeaders(test), asked)
      expect(keysOf(answer.body)).toEqual(shown(key))
    }
    await test.database
      .updateTable('payments')
      .set({ state: 'submitted', result_code: null })
      .where('id', '=', paymentId)
      .execute()
    expect(blocks('json')).toContain((await ask(test, `POST ${path}/cancel`, partnerHeaders(test))).body)
  })

  it('explains every status', () => {
    const explained = rows().map(([cell]) => cell)
    for (const status of PAYMENT_STATE_NAMES) expect(explained).toContain(`\`${status}\``)
  })

  it('shows the schedule of the attempts as it is', () => {
    const [, ...pauses] = rows().find(([cell]) => cell === 'Pause') ?? []
    expect(pauses).toEqual(SETTINGS.DELIVERY_SCHEDULE.default.split(','))
  })
})
