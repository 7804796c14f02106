import { expect, test } from 'vitest'
import { createBoundedMap } from '../../src/simulator/bounded-map.ts'

test('holds the newest entries and counts the forgotten ones', () => {
  const map = createBoundedMap<number, string>(3)
  for (const key of [1, 2, 3, 4, 5]) map.add(key, `value ${key}`)
  expect(map.values()).toEqual(['value 3', 'value 4', 'value 5'])
  expect(map.get(2)).toBeUndefined()
  expect(map.get(3)).toBe('value 3')
  expect(map.forgotten()).toBe(2)
})

test('after a clear it fills and forgets as if new', () => {
  const map = createBoundedMap<number, number>(2)
  for (const key of [1, 2, 3]) map.add(key, key)
  map.clear()
  expect(map.values()).toEqual([])
  expect(map.forgotten()).toBe(0)
  for (const key of [4, 5, 6, 7]) map.add(key, key)
  expect(map.values()).toEqual([6, 7])
  expect(map.forgotten()).toBe(2)
})

test('stays bounded through many more entries than it holds', () => {
  const map = createBoundedMap<number, number>(100)
  for (let key = 0; key < 50_000; key += 1) map.add(key, key)
  expect(map.values()).toEqual(Array.from({ length: 100 }, (_, index) => 49_900 + index))
})
