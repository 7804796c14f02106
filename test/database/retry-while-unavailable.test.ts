import { expect, it } from 'vitest'
import { DatabaseUnavailable } from '../../src/database/outage.ts'
import { retryWhileUnavailable } from '../../src/database/retry-while-unavailable.ts'

/** Fails `times` times with `error`, then succeeds. */
const failing = (times: number, error: Error) => {
  let tries = 0
  const work = (): Promise<string> => {
    tries += 1
    return tries > times ? Promise.resolve('done') : Promise.reject(error)
  }
  return { work, tries: () => tries }
}

const AWAY = new DatabaseUnavailable(new Error('connection refused'))

it('work is repeated while Postgres is away, after pauses that grow', async () => {
  const pauses: number[] = []
  const isOver = (pauseMs: number): boolean => {
    pauses.push(pauseMs)
    return false
  }
  expect(await retryWhileUnavailable(failing(3, AWAY).work, { isOver })).toBe('done')
  expect(pauses).toEqual([50, 100, 200])
})

it('the outage is thrown after which it is over', async () => {
  const { work, tries } = failing(10, AWAY)
  await expect(retryWhileUnavailable(work, { isOver: (pauseMs) => pauseMs > 100 })).rejects.toBe(AWAY)
  expect(tries()).toBe(3)
})

it('anything else is thrown at once', async () => {
  const { work, tries } = failing(10, new RangeError('a defect'))
  await expect(retryWhileUnavailable(work, { isOver: () => false })).rejects.toThrow('a defect')
  expect(tries()).toBe(1)
})

it('a pause ends when it is asked to', async () => {
  const ending = new AbortController()
  const waiting = retryWhileUnavailable(failing(10, AWAY).work, {
    isOver: () => {
      setImmediate(() => ending.abort())
      return false
    },
    signal: ending.signal,
  })
  await expect(waiting).rejects.toThrow('aborted')
})
