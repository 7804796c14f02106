import { describe, expect, it } from 'vitest'
import { BatchQueueFull, createBatcher } from '../../src/runtime/batch.ts'
import { eventually } from '../support/eventually.ts'

/** A run that waits until it is told to finish, and remembers what it was given. */
const heldRun = () => {
  const batches: number[][] = []
  const releases: (() => void)[] = []
  const run = async (items: number[]): Promise<string[]> => {
    batches.push(items)
    await new Promise<void>((resolve) => releases.push(resolve))
    return items.map(String)
  }
  const release = (): void => releases.shift()?.()
  return { batches, run, release }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a batcher', () => {
  it('starts at once, and groups what came while a batch was running', async () => {
    const held = heldRun()
    const batcher = createBatcher({ maxItems: 10, maxRunning: 1, maxWaiting: 100, run: held.run })
    const first = batcher.add(1)
    await turn()
    const others = [batcher.add(2), batcher.add(3)]
    await turn()
    expect(held.batches).toEqual([[1]])
    held.release()
    expect(await first).toBe('1')
    await turn()
    expect(held.batches).toEqual([[1], [2, 3]])
    held.release()
    expect(await Promise.all(others)).toEqual(['2', '3'])
  })

  it('lets it gather no longer once enough has come', async () => {
    const held = heldRun()
    const longMs = 3_600_000
    const batcher = createBatcher({
      maxItems: 10,
      maxRunning: 1,
      maxWaiting: 100,
      gatherMs: longMs,
      enough: 2,
      run: held.run,
    })
    const first = batcher.add(1)
    await turn()
    held.release()
    await first
    const second = batcher.add(2)
    await turn()
    expect(held.batches).toEqual([[1]])
    const third = batcher.add(3)
    await turn()
    expect(held.batches).toEqual([[1], [2, 3]])
    held.release()
    await Promise.all([second, third])
  })

  it('lets what comes after a batch gather where that is asked for, until a batch is full', async () => {
    const held = heldRun()
    const batcher = createBatcher({
      maxItems: 3,
      maxRunning: 10,
      maxWaiting: 100,
      gatherMs: 60,
      run: held.run,
    })
    const added = [batcher.add(1)]
    await turn()
    added.push(batcher.add(2))
    await turn()
    added.push(batcher.add(3))
    await turn()
    expect(held.batches).toEqual([[1]])
    await eventually(() => expect(held.batches).toEqual([[1], [2, 3]]))
    added.push(batcher.add(4), batcher.add(5), batcher.add(6))
    await turn()
    expect(held.batches).toEqual([[1], [2, 3], [4, 5, 6]])
    for (const _batch of held.batches) held.release()
    expect(await Promise.all(added)).toEqual(['1', '2', '3', '4', '5', '6'])
  })

  it('starts no batch beside a running one for a few items', async () => {
    const held = heldRun()
    const batcher = createBatcher({
      maxItems: 10,
      maxRunning: 2,
      maxWaiting: 100,
      besideFrom: 3,
      run: held.run,
    })
    const added = [batcher.add(1)]
    await turn()
    added.push(batcher.add(2), batcher.add(3))
    await turn()
    expect(held.batches).toEqual([[1]])
    added.push(batcher.add(4))
    await turn()
    expect(held.batches).toEqual([[1], [2, 3, 4]])
    added.push(batcher.add(5))
    held.release()
    held.release()
    await Promise.all(added.slice(0, 4))
    await turn()
    expect(held.batches).toEqual([[1], [2, 3, 4], [5]])
    held.release()
    expect(await Promise.all(added)).toEqual(['1', '2', '3', '4', '5'])
  })

  it('holds no more items in a batch, batches at once or items waiting than it may', async () => {
    const held = heldRun()
    const batcher = createBatcher({ maxItems: 2, maxRunning: 2, maxWaiting: 5, run: held.run })
    const added = [1, 2, 3, 4, 5].map((item) => batcher.add(item))
    await expect(batcher.add(6)).rejects.toThrow(BatchQueueFull)
    await turn()
    expect(held.batches).toEqual([
      [1, 2],
      [3, 4],
    ])
    for (let count = 0; count < 3; count += 1) {
      held.release()
      await turn()
    }
    expect(await Promise.all(added)).toEqual(['1', '2', '3', '4', '5'])
  })

  it('gives each caller its own error, and all of them a batch’s', async () => {
    const run = (items: number[]): Promise<(number | Error)[]> =>
      items.includes(13)
        ? Promise.reject(new Error('the batch'))
        : Promise.resolve(items.map((item) => (item === 2 ? new Error('two') : item)))
    const batcher = createBatcher({ maxItems: 10, maxRunning: 1, maxWaiting: 100, run })
    const settled = await Promise.allSettled([batcher.add(1), batcher.add(2), batcher.add(3)])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    await expect(Promise.all([batcher.add(13), batcher.add(1)])).rejects.toThrow('the batch')
  })

  it('is drained when nothing waits and nothing runs', async () => {
    const held = heldRun()
    const batcher = createBatcher({ maxItems: 1, maxRunning: 1, maxWaiting: 10, run: held.run })
    await batcher.drained()
    const added = [batcher.add(1), batcher.add(2)]
    let isDrained = false
    const drained = batcher.drained().then(() => {
      isDrained = true
    })
    await turn()
    held.release()
    await added[0]
    await turn()
    expect(isDrained).toBe(false)
    held.release()
    await drained
    expect(await added[1]).toBe('2')
  })
})
