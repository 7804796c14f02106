import { createBoundedMap } from './bounded-map.ts'

/** Counts how often each text was seen: 1 the first time. Forgets the texts that were first seen longest ago. */
export const createCounts = (options: { maxTexts: number }): ((text: string) => number) => {
  const counts = createBoundedMap<string, { seen: number }>(options.maxTexts)
  return (text) => {
    const known = counts.get(text)
    if (known) {
      known.seen += 1
      return known.seen
    }
    counts.add(text, { seen: 1 })
    return 1
  }
}
