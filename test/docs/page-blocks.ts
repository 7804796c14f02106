/** A shell block of a page that the suite runs. */
export type PageBlock = {
  /** `run`: to its end. `background`: it stays. `until`: again and again until it prints what the page shows. */
  kind: 'run' | 'background' | 'until'
  command: string
  /** What the page says that it prints; null when it says nothing. */
  prints: string | null
}

const KINDS: Readonly<Record<string, PageBlock['kind']>> = {
  run: 'run',
  'run in the background': 'background',
  'run until it prints': 'until',
}

const BLOCK =
  /<!-- (run[a-z ]*) -->\n```sh\n([\s\S]*?)```\n(?:\n<!-- prints -->\n```[a-z]*\n([\s\S]*?)```\n)?/g

/** The blocks of a Markdown page that are marked to be run, in order, each with the output that is marked after it. */
export const blocksOf = (page: string): PageBlock[] =>
  [...page.matchAll(BLOCK)].map(([, mark = '', command = '', prints]) => {
    const kind = KINDS[mark]
    if (kind === undefined) throw new Error(`the page has a mark that nobody knows: ${mark}`)
    return { kind, command, prints: prints?.trim() ?? null }
  })

/** What the page shows as a pattern: `…` stands for anything, and blanks for blanks of any number, as in a table. */
export const toPattern = (prints: string): RegExp =>
  new RegExp(
    `^${prints
      .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('…', String.raw`[\s\S]*?`)
      .replaceAll(/ +/g, ' +')}$`,
  )
