/**
 * Resolves or rejects as `work` does, or rejects with what `late` makes when that takes longer than `limitMs`. The work
 * goes on then, and whatever it does changes nothing.
 */
export const inTime = async <Result>(
  work: Promise<Result>,
  limitMs: number,
  late: () => Error,
): Promise<Result> => {
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(() => limit.reject(late()), limitMs)
  work.catch(() => undefined)
  try {
    return await Promise.race([work, limit.promise])
  } finally {
    clearTimeout(timer)
  }
}
