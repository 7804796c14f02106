import type { Call, PageCall } from './history.ts'

/** What is wrong with the pages of any walk through the list. */
export const checkWalks = (history: readonly Call[]): string[] => {
  const walks = Map.groupBy(
    history.filter((call) => call.kind === 'page'),
    ({ walk }) => walk,
  )
  return [...walks].flatMap(([walk, pages]) =>
    checkWalk(history, pages).map((problem) => `walk ${walk}: ${problem}`),
  )
}

const checkWalk = (history: readonly Call[], pages: readonly PageCall[]): string[] => {
  const problems: string[] = []
  const seen = new Set<number>()
  let reached: number | null = null
  for (const { before, answer } of pages) {
    if (answer.kind !== 'page') break
    let above = before ?? Infinity
    for (const { id } of answer.payments) {
      if (seen.has(id)) problems.push(`${id} is delivered twice`)
      if (id >= above) problems.push(`${id} is out of order`)
      seen.add(id)
      above = id
    }
    reached = answer.next ?? 0
  }
  if (reached === null) return problems
  const beganMs = pages[0]?.beganMs ?? 0
  const skipped = [...answeredBefore(history, beganMs)].filter((id) => id >= (reached ?? 0) && !seen.has(id))
  return [...problems, ...skipped.map((id) => `${id} is skipped, which was answered before`)]
}

const answeredBefore = (history: readonly Call[], beforeMs: number): Set<number> => {
  const ids = new Set<number>()
  for (const call of history) {
    if (call.kind !== 'request' || call.endedMs >= beforeMs) continue
    if (call.answer.kind === 'success' || call.answer.kind === 'duplicate') ids.add(call.answer.id)
  }
  return ids
}
