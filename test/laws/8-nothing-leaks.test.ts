import { beforeAll, describe, expect, it } from 'vitest'
import { type EventfulDay, liveThroughADay } from './eventful-day.ts'

describe('law 8: nothing leaks', () => {
  let day: EventfulDay
  beforeAll(async () => {
    day = await liveThroughADay()
  }, 240_000)

  it('no number, key, token, secret or CheckoutRequestID of a whole day is whole in anything that was said', () => {
    const leaks = [...day.said].flatMap(([who, text]) =>
      [...day.secrets]
        .filter(([what, secret]) => text.includes(secret) && !mayBeShown(who, what))
        .map(([what, secret]) => `${who} says ${what}: ${lineWith(text, secret)}`),
    )
    expect(leaks).toEqual([])
  })

  it('the day was eventful: much was said at the lowest level, and much of it was to be hidden', () => {
    const all = [...day.said.values()].join('\n')
    const events = [
      'push_refused',
      'push_outcome_unknown',
      'payment_failed',
      'payment_successful',
      'delivery_attempted',
    ]
    const troubles = [
      'call_failed',
      'callback_put_off',
      'callback_of_unknown_token',
      'callback_from_unlisted_address',
    ]
    for (const event of [...events, ...troubles, 'request_refused', 'database_awaited'])
      expect(all).toContain(`"${event}"`)
    expect(day.secrets.size).toBeGreaterThan(50)
    expect(all).toMatch(/2547\*{5}\d{3}/)
    expect(all).toMatch(/ws_CO_\*{3}/)
  })
})

/** Whoever types commands sees a partner's callback URL. */
const mayBeShown = (who: string, what: string): boolean => who === 'commands' && what === 'the partner’s path'

const lineWith = (text: string, secret: string): string =>
  text
    .split('\n')
    .find((line) => line.includes(secret))
    ?.slice(0, 400) ?? ''
