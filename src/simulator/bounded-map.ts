/** A map that holds its newest entries only, so that a run of any length needs a bounded amount of memory. */
export type BoundedMap<Key, Value> = {
  get(key: Key): Value | undefined
  /** Adds an entry whose key is new; the oldest entry makes room when the map is full. */
  add(key: Key, value: Value): void
  /** The values, oldest first. */
  values(): Value[]
  /** How many entries have made room since the start or the last `clear`. */
  forgotten(): number
  clear(): void
}

/** Creates a map of at most `maxEntries` entries. */
export const createBoundedMap = <Key, Value>(maxEntries: number): BoundedMap<Key, Value> => {
  const entries = new Map<Key, Value>()
  // One iterator for the map's life: a fresh one would walk over every deleted entry to find the oldest live one.
  const oldestFirst = entries.keys()
  let forgotten = 0

  const add = (key: Key, value: Value): void => {
    entries.set(key, value)
    if (entries.size <= maxEntries) return
    const oldest = oldestFirst.next()
    if (oldest.done) return
    entries.delete(oldest.value)
    forgotten += 1
  }

  const clear = (): void => {
    entries.clear()
    forgotten = 0
  }

  return {
    get: (key) => entries.get(key),
    add,
    values: () => [...entries.values()],
    forgotten: () => forgotten,
    clear,
  }
}
