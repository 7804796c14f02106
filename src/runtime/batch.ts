/** One item that waits for its batch, and how its caller gets the result. */
type Waiting<Item, Result> = {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/** Thrown to the caller of `add` when as many items wait as may: try again later. */
export class BatchQueueFull extends Error {
  override name = 'BatchQueueFull'
}

export type Batcher<Item, Result> = {
  /**
   * Puts the item into the next batch; resolves with its result, rejects with `BatchQueueFull` or what the batch threw.
   */
  add(item: Item): Promise<Result>
  /** Resolves when nothing waits and nothing runs. */
  drained(): Promise<void>
}

const settleOne = <Item, Result>(one: Waiting<Item, Result> | undefined, result: Result | Error): void => {
  if (result instanceof Error) one?.reject(result)
  else one?.resolve(result)
}

/**
 * Gathers single items into batches: one statement and one commit for many. It groups what is waiting, and waits in
 * order to group only where `gatherMs` is given: a batch of less than `enough` items (a full one, unless given) then
 * starts so long after the one before at the earliest. Else it starts as soon as one of `maxRunning` slots is free, with whatever has queued meanwhile, at
 * most `maxItems`. Beside one that runs already a batch starts only with `besideFrom` items or more, for what waits
 * shares the next commit otherwise. `run` returns one result an item, in the items' order; an `Error` among them is
 * thrown to that item's caller alone. No more than `maxWaiting` items wait.
 */
export const createBatcher = <Item, Result>(options: {
  maxItems: number
  maxRunning: number
  maxWaiting: number
  besideFrom?: number
  gatherMs?: number
  enough?: number
  run: (items: Item[]) => Promise<(Result | Error)[]>
}): Batcher<Item, Result> => {
  const { besideFrom = 1, gatherMs = 0, enough = options.maxItems } = options
  const waiting: Waiting<Item, Result>[] = []
  let running = 0
  let [scheduled, gathering] = [false, false]
  let whenDrained: (() => void)[] = []

  const runBatch = async (batch: Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await options.run(batch.map((one) => one.item))
      if (results.length !== batch.length)
        throw new Error('a batch returned another number of results than items')
      for (const [index, result] of results.entries()) settleOne(batch[index], result)
    } catch (error) {
      for (const one of batch) one.reject(error)
    }
  }

  const mayStart = (): boolean =>
    running < options.maxRunning && waiting.length >= (gathering ? enough : running === 0 ? 1 : besideFrom)

  const gather = (): void => {
    if (gatherMs === 0 || gathering) return
    gathering = true
    setTimeout(() => {
      gathering = false
      startBatches()
    }, gatherMs)
  }

  const startBatches = (): void => {
    scheduled = false
    while (mayStart()) {
      const batch = waiting.splice(0, options.maxItems)
      running += 1
      gather()
      void runBatch(batch).then(() => {
        running -= 1
        startBatches()
      })
    }
    if (running > 0 || waiting.length > 0) return
    for (const resolve of whenDrained) resolve()
    whenDrained = []
  }

  // Starting at the end of the current tick of the event loop, not inside `add`, lets every request that the same tick
  // parsed join the batch.
  const schedule = (): void => {
    if (scheduled || !mayStart()) return
    scheduled = true
    setImmediate(startBatches)
  }

  const add = (item: Item): Promise<Result> =>
    new Promise((resolve, reject) => {
      if (waiting.length >= options.maxWaiting) {
        reject(new BatchQueueFull(`${options.maxWaiting} items wait already`))
        return
      }
      waiting.push({ item, resolve, reject })
      schedule()
    })

  const drained = (): Promise<void> =>
    running === 0 && waiting.length === 0
      ? Promise.resolve()
      : new Promise((resolve) => whenDrained.push(resolve))

  return { add, drained }
}
