import { describe, expect, it } from 'vitest'
import { pageWidth } from '../../scripts/tidy/page-width.ts'

const wide = 'word '.repeat(30).trim()

const linesOf = (...lines: string[]): number[] =>
  pageWidth([{ path: 'docs/a.md', text: lines.join('\n') }]).map(({ line }) => line)

describe('page width', () => {
  it('finds prose and items of lists that are wider than 120 characters', () => {
    expect(linesOf('# A', '', 'x'.repeat(60), wide, '', `- ${wide}`, `  ${wide}`)).toEqual([4, 6, 7])
    expect(linesOf(`${'a '.repeat(59)}ab`)).toEqual([])
    expect(linesOf(`${'a '.repeat(59)}abc`)).toEqual([1])
  })

  it('says how wide the line is', () => {
    expect(pageWidth([{ path: 'README.md', text: wide }])).toEqual([
      { path: 'README.md', line: 1, problem: 'the line has 149 characters: wrap it at 120' },
    ])
  })

  it('leaves tables, headings, comments and code as they are', () => {
    const code = ['```sh', wide, '```', '', '~~~', wide, '~~~']
    expect(linesOf(`| ${wide} |`, `## ${wide}`, `<!-- ${wide} -->`, ...code)).toEqual([])
    expect(linesOf(...code, wide)).toEqual([8])
  })

  it('leaves a link or a word alone that is too wide by itself', () => {
    expect(linesOf(`- [a title](https://example.com/${'x'.repeat(120)}) and more`)).toEqual([])
    expect(linesOf(`[several words](${'x'.repeat(50)}) ${wide}`)).toEqual([1])
  })

  it('reads pages only', () => {
    expect(pageWidth([{ path: 'src/a.ts', text: wide }])).toEqual([])
  })
})
