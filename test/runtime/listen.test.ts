import { afterEach, expect, it, vi } from 'vitest'
import { closeWithin } from '../../src/runtime/listen.ts'

afterEach(() => vi.useRealTimers())

it('a close that fails leaves no timer behind, and cuts nothing later', async () => {
  vi.useFakeTimers()
  const cut = vi.fn<() => void>()
  const closed = closeWithin(1_000, () => Promise.reject(new Error('not running')), cut)
  await expect(closed).rejects.toThrow('not running')
  expect(vi.getTimerCount()).toBe(0)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(cut).not.toHaveBeenCalled()
})

it('a close that takes longer than it may is cut', async () => {
  vi.useFakeTimers()
  const cut = vi.fn<() => void>()
  const closed = closeWithin(1_000, () => vi.waitFor(() => expect(cut).toHaveBeenCalledOnce()), cut)
  await vi.advanceTimersByTimeAsync(1_000)
  await closed
  expect(vi.getTimerCount()).toBe(0)
})
