import { expect } from 'vitest'
import { countPayments, errorBody, exchange, parseAnswers, type TestFacade } from '../facade/harness.ts'

/**
 * Checks a refusal to the byte: its status, its two fields, the headers that every answer has, and that nothing was stored.
 * Returns its headers.
 */
export const expectRefusal = async (
  test: TestFacade,
  bytes: string | Buffer,
  status: number,
  message: string,
): Promise<Record<string, string>> => {
  const before = await countPayments(test)
  const answers = parseAnswers(await exchange(test.httpPort, bytes))
  expect(answers.map((answer) => [answer.status, answer.body])).toEqual([[status, errorBody(message)]])
  expect(answers[0]?.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': expect.stringMatching(/^[A-Za-z0-9._-]{1,128}$/),
  })
  expect(await countPayments(test)).toBe(before)
  return answers[0]?.headers ?? {}
}
