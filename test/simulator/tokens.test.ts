import { expect, test } from 'vitest'
import { createIds } from '../../src/simulator/ids.ts'
import { createTokens } from '../../src/simulator/tokens.ts'
import { basic } from './harness.ts'

const open = () => {
  const time = { now: new Date('2026-05-04T18:00:00Z') }
  const clock = () => time.now
  return { time, tokens: createTokens({ clock, ids: createIds({ clock, random: Math.random }) }) }
}

test('a token is good until it runs out, and a newer one does not end it', () => {
  const { time, tokens } = open()
  const token = tokens.issue('key', { endsEarlier: false })
  tokens.issue('key', { endsEarlier: false })
  expect(tokens.judge(`Bearer ${token}`)).toEqual({ ok: true, consumerKey: 'key' })
  time.now = new Date('2026-05-04T18:59:58.999Z')
  expect(tokens.judge(`Bearer ${token}`)).toMatchObject({ ok: true })
  time.now = new Date('2026-05-04T18:59:59Z')
  expect(tokens.judge(`Bearer ${token}`)).toMatchObject({ ok: false, error: { code: '404.001.03' } })
})

test("a token that ends earlier ones ends its own key's, and not itself", () => {
  const { tokens } = open()
  const [first, others] = [
    tokens.issue('key', { endsEarlier: false }),
    tokens.issue('other', { endsEarlier: false }),
  ]
  const second = tokens.issue('key', { endsEarlier: true })
  expect(tokens.judge(`Bearer ${first}`)).toMatchObject({ ok: false, error: { code: '404.001.03' } })
  expect(tokens.judge(`Bearer ${second}`)).toMatchObject({ ok: true })
  expect(tokens.judge(`Bearer ${others}`)).toMatchObject({ ok: true })
  tokens.issue('key', { endsEarlier: true })
  expect(tokens.judge(`Bearer ${second}`)).toMatchObject({ ok: false })
})

test('what is no Bearer header is told apart from a token that is unknown', () => {
  const { tokens } = open()
  expect(tokens.judge('Bearer unknown')).toMatchObject({ error: { status: 404, code: '404.001.03' } })
  expect(tokens.judge(undefined)).toMatchObject({ error: { status: 404, code: '404.001.04' } })
  expect(tokens.judge(basic('key:secret'))).toMatchObject({ error: { status: 404, code: '404.001.04' } })
})
