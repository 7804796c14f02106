import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { risks } from '../../scripts/tidy/risks.ts'

let page: string
beforeAll(async () => {
  page = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8')
})

const problemsOf = (text: string): string[] =>
  risks([{ path: 'docs/security.md', text }]).map(({ problem }) => problem)

describe('the table of risks', () => {
  it('has a line for every risk and way in, each with its test', () => expect(problemsOf(page)).toEqual([]))

  it('may not lose a risk', () => {
    const without = page.split('\n').filter((line) => !/^\|.*\| API7 /.test(line))
    expect(problemsOf(without.join('\n'))).toEqual(['the table of risks has no line for API7'])
  })

  it('may have no line without a test', () => {
    const untested = page.replace(/^(\|.*\| API4 .*\|).*\|$/m, '$1 we look |')
    expect(problemsOf(untested)).toEqual(['names no test that holds it'])
  })

  it('may not go', () => {
    expect(problemsOf(page.replace('risks:end', 'gone'))).toEqual(['has no table of risks'])
  })
})
