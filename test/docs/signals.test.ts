import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { renderSignal, type Signal } from '../../src/core/signals/render-signal.ts'
import { SIGNAL_TYPES } from '../../src/core/signals/signal.ts'

type Body = Signal & { timestamp: string }

const readExamples = async (): Promise<Body[]> => {
  const page = await readFile(new URL('../../docs/signals.md', import.meta.url), 'utf8')
  return [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, text = '']) => JSON.parse(text) as Body)
}

it('the page of signals shows every type once, each as it is sent', async () => {
  const examples = await readExamples()
  expect(examples.map(({ type }) => type).toSorted()).toEqual([...SIGNAL_TYPES].toSorted())
  for (const example of examples)
    expect(JSON.parse(renderSignal(example, new Date(example.timestamp)))).toEqual(example)
})
