import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import { outcomesAsMarkdown, outcomesAsText } from '../../src/simulator/outcomes-table.ts'

test('the documentation holds the table that the code holds', async () => {
  const page = await readFile(new URL('../../docs/simulator.md', import.meta.url), 'utf8')
  const table = /<!-- outcomes:start -->\n\n([\s\S]*?)\n\n<!-- outcomes:end -->/.exec(page)?.[1]
  expect(table).toBe(outcomesAsMarkdown().join('\n'))
})

test('both renderings name every outcome with what chooses it', () => {
  const markdown = outcomesAsMarkdown()
  const text = outcomesAsText()
  for (const { name, phones, amountsKes } of OUTCOMES) {
    const row = markdown.find((line) => line.includes(`\`${name}\``)) ?? ''
    const line = text.find((line) => line.startsWith(`${name} `)) ?? ''
    for (const phone of phones) expect(row).toContain(phone)
    expect(line).toContain(phones[0])
    for (const amount of amountsKes) {
      expect(row).toContain(String(amount))
      expect(line).toContain(String(amount))
    }
  }
})

test('what happens is read from the data', () => {
  const line = (name: string): string => outcomesAsText().find((line) => line.startsWith(`${name} `)) ?? ''
  expect(line('late-success')).toContain('callback 1037 after 1 delay, 0 after 5 delays')
  expect(line('calls-back-twice')).toContain('callback 0 twice after 1 delay')
  expect(line('never-calls-back-timeout')).toContain('callback none; query 1037 after 1 delay')
  expect(line('refused')).toContain('400.002.02 Bad Request - Invalid PhoneNumber; nobody is prompted')
})
