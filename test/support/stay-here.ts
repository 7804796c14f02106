import { afterAll, expect } from 'vitest'
import { tried } from './loopback-only.mjs'

afterAll(() => {
  expect(tried, 'what this test file tried to reach beyond this machine').toEqual([])
})
