import { expect, it } from 'vitest'
import { KINDS } from '../../bench/support/console-beside.ts'
import { planWindows, secondsOfWindows } from '../../bench/support/console-windows.ts'

it('each kind of window comes first, second and third equally often, and never twice in a row', () => {
  const windows = planWindows(6).filter(({ round }) => round > 0)
  const places = windows.map(({ kind }, index) => `${kind} ${index % KINDS.length}`)
  for (const kind of KINDS)
    for (const place of [0, 1, 2]) expect(places.filter((one) => one === `${kind} ${place}`)).toHaveLength(2)
  expect(windows.filter(({ kind }, index) => windows[index - 1]?.kind === kind)).toEqual([])
})

it('operators look before the other program is to use as much CPU as the console did', () => {
  expect(planWindows(1).map(({ round, kind }) => `${round} ${kind}`)).toEqual([
    '0 nobody looks',
    '0 10 operators look',
    '0 another program works',
    '1 nobody looks',
    '1 10 operators look',
    '1 another program works',
  ])
})

it('the windows of two rounds and one that warms take a second each beside what is counted', () => {
  expect(secondsOfWindows({ rounds: 2, seconds: 10 })).toBe(9 * 11)
})
