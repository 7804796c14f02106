import { expect, test } from 'vitest'
import { createCounts } from '../../src/simulator/counts.ts'

test('counts each text for itself', () => {
  const count = createCounts({ maxTexts: 10 })
  expect(['a', 'b', 'a', 'a', 'b'].map(count)).toEqual([1, 1, 2, 3, 2])
})

test('forgets the text that was first seen longest ago', () => {
  const count = createCounts({ maxTexts: 2 })
  expect(['a', 'b', 'c', 'c', 'a'].map(count)).toEqual([1, 1, 1, 2, 1])
})
