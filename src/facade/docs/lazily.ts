/**
 * Makes a function that loads something when it is called for the first time, and has it from then on; a failure is
 * tried again by whoever calls next.
 */
export const lazily = <Value>(load: () => Promise<Value>): (() => Promise<Value>) => {
  let loading: Promise<Value> | null = null
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = null
      throw error
    })
    return loading
  }
}
