import { expect, test } from 'vitest'
import { createPlan, unknownNames } from '../../src/simulator/plan.ts'

const SUBJECTS = Array.from({ length: 4000 }, (_, index) => `push 254712345678 150 ${index + 1}`)

const drawnIn = (seed: number, misbehaviours: Record<string, number>): string[] => {
  const plan = createPlan({ seed, misbehaviours: new Map(Object.entries(misbehaviours)) })
  return SUBJECTS.map((subject) => {
    const names = plan.drawn('push', subject).map(({ name }) => name)
    return names.join('+')
  })
}

test('one seed draws the same every time, another something else', () => {
  const misbehaviours = { 'push-cut': 0.2, 'calls-back-twice': 0.5 }
  expect(drawnIn(7, misbehaviours)).toEqual(drawnIn(7, misbehaviours))
  expect(drawnIn(8, misbehaviours)).not.toEqual(drawnIn(7, misbehaviours))
})

test('what is drawn under a name does not depend on the other names', () => {
  const alone = drawnIn(7, { 'push-cut': 0.2 })
  const beside = drawnIn(7, { 'push-cut': 0.2, 'calls-back-twice': 1 })
  expect(beside).toEqual(alone.map((name) => (name ? `calls-back-twice+${name}` : 'calls-back-twice')))
})

test('draws as often as the probability says', () => {
  const happened = drawnIn(7, { 'push-cut': 0.25 }).filter((names) => names === 'push-cut')
  // 4000 draws at a quarter: 27 is the standard deviation.
  expect(Math.abs(happened.length - 1000)).toBeLessThan(140)
  expect(drawnIn(7, { 'push-cut': 1 }).every((names) => names === 'push-cut')).toBe(true)
  expect(drawnIn(7, { 'push-cut': 0 }).every((names) => names === '')).toBe(true)
})

test('draws for a call only what that call can get wrong', () => {
  const plan = createPlan({
    seed: 7,
    misbehaviours: new Map([
      ['token-cut', 1],
      ['query-cut', 1],
    ]),
  })
  expect(plan.drawn('token', 'token key 1').map(({ name }) => name)).toEqual(['token-cut'])
  expect(plan.drawn('query', 'token key 1').map(({ name }) => name)).toEqual(['query-cut'])
  expect(plan.drawn('push', 'token key 1')).toEqual([])
})

test('goes on by another plan', () => {
  const plan = createPlan({ seed: 7, misbehaviours: new Map([['push-cut', 1]]) })
  plan.change({ seed: 8, misbehaviours: new Map() })
  expect(plan.drawn('push', 'a')).toEqual([])
  expect(plan.current().seed).toBe(8)
})

test('names that are no outcome are told', () => {
  expect(unknownNames(['paid', 'push-cut', 'push-cutt', ''])).toEqual(['push-cutt', ''])
})
