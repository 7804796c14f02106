import { createInterface } from 'node:readline'

// Another program on the machine, which has nothing to do with the gateway. Told so many ms on a line, it makes pages of text
// until it has used as much CPU, and answers with their bytes. It needs a few MB of memory for them, as who renders pages does.

const ROWS_A_PAGE = 500

const makePage = (first: number): Buffer => {
  const rows = Array.from({ length: ROWS_A_PAGE }, (_one, index) => {
    const number = first + index
    return `<tr><td>${number}</td><td>${number.toString(36)}</td><td>${number % 1000} KES</td></tr>`
  })
  return Buffer.from(`<table>${rows.join('\n')}</table>`)
}

const usedMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Works for so much CPU, ms; returns the bytes of the pages that it made. */
const work = (cpuMs: number): number => {
  const endMs = usedMs() + cpuMs
  const pages: Buffer[] = []
  while (usedMs() < endMs) pages.push(makePage(pages.length * ROWS_A_PAGE))
  return pages.reduce((sum, page) => sum + page.length, 0)
}

process.stdout.write('{"ready":true}\n')
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${work(Number(line))}\n`)
}
