import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import {
  callOutcomesAsMarkdown,
  outcomesAsMarkdown,
  outcomesAsText,
  rareOutcomesAsMarkdown,
} from '../../src/simulator/outcomes-table.ts'

test.each([
  ['outcomes', outcomesAsMarkdown],
  ['rare-outcomes', rareOutcomesAsMarkdown],
  ['call-outcomes', callOutcomesAsMarkdown],
])('the documentation holds the table that the code holds: %s', async (name, asMarkdown) => {
  const page = await readFile(new URL('../../docs/simulator.md', import.meta.url), 'utf8')
  const marked = new RegExp(`<!-- ${name}:start -->\n\n([\\s\\S]*?)\n\n<!-- ${name}:end -->`)
  expect(marked.exec(page)?.[1]).toBe(asMarkdown().join('\n'))
})

test('both renderings name every outcome with what chooses it', () => {
  const markdown = [...outcomesAsMarkdown(), ...rareOutcomesAsMarkdown(), ...callOutcomesAsMarkdown()]
  const text = outcomesAsText()
  for (const { name, phones, amountsKes } of OUTCOMES) {
    const row = markdown.find((line) => line.includes(`\`${name}\``)) ?? ''
    const line = text.find((line) => line.startsWith(`${name} `)) ?? ''
    for (const phone of phones) expect(row).toContain(phone)
    expect(line).toContain(phones[0] ?? name)
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
  expect(line('never-ends')).toContain('callback none; query 4999 for ever')
  expect(line('calls-back-late')).toContain('callback 0 after 21 delays')
  expect(line('bad-debt')).toContain('callback E3008 after 1 delay')
  expect(line('push-html-403')).toContain("HTTP 403 with the edge's HTML; nobody is prompted")
  expect(line('silence-after-prompt')).toContain(
    'no answer, the connection stays open; yet the payer was prompted',
  )
  expect(line('masked-phone')).toContain('callback 0 after 1 delay; PhoneNumber as 2547 ***** 126')
  expect(line('query-cut')).toContain('query 0 after 1 delay; every other query: connection cut')
  expect(line('token-empty-body')).toContain('HTTP 400 with an empty body')
  expect(line('pull-offset-stands-still')).toContain('every offset gives the first page')
})
