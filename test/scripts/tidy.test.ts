import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { costsAsMarkdown, figuresAsMarkdown } from '../../scripts/tidy/figures.ts'
import {
  arrowsAsMarkdown,
  fillIn,
  generatedParts,
  scheduleAsMarkdown,
  settingsAsMarkdown,
} from '../../scripts/tidy/generated-parts.ts'
import { links } from '../../scripts/tidy/links.ts'
import { operatorsWords } from '../../scripts/tidy/operators-words.ts'
import { readProject } from '../../scripts/tidy/project.ts'
import { standsAlone } from '../../scripts/tidy/stands-alone.ts'
import { ARROWS } from '../../src/core/payments/states.ts'
import { SETTINGS } from '../../src/runtime/settings.ts'

describe('the reading of the project', () => {
  it('takes what people wrote, and nothing that machines did', async () => {
    const root = await mkdtemp(join(tmpdir(), 'tidy-'))
    onTestFinished(() => rm(root, { recursive: true }))
    await mkdir(join(root, 'src', 'gen'), { recursive: true })
    await mkdir(join(root, 'src', 'core'))
    await mkdir(join(root, 'node_modules'))
    for (const path of [
      'README.md',
      'package-lock.json',
      'src/gen/a.js',
      'src/core/a.ts',
      'node_modules/a.ts',
      'src/a.bin',
    ])
      await writeFile(join(root, path), path)
    expect(await readProject(root)).toEqual([
      { path: 'README.md', text: 'README.md' },
      { path: 'src/core/a.ts', text: 'src/core/a.ts' },
    ])
  })
})

describe('generated parts', () => {
  it('hold every setting with its default, and no value of a secret', () => {
    const rows = settingsAsMarkdown()
    expect(rows).toHaveLength(Object.keys(SETTINGS).length + 2)
    expect(rows).toContain('| `HTTP_PORT` | serve, facade | `8080` | its port; 0 takes a free one |')
    expect(rows.find((row) => row.startsWith('| `SECRET_KEY` |'))).toMatch(/\| required \|.*\(secret\) \|$/)
    expect(rows.find((row) => row.startsWith('| `NATS_URL` |'))).toMatch(/\| serve, dispatch \| none \|/)
  })

  it('name for each setting who reads it, what is typed too', () => {
    const readers = new Map(
      settingsAsMarkdown()
        .slice(2)
        .map((row) => [row.split(' | ')[0]?.slice(2) ?? '', row.split(' | ')[1] ?? '']),
    )
    expect([...readers].filter(([, names]) => names === '')).toEqual([])
    expect(readers.get('`DATABASE_URL`')).toBe('serve, dispatch, console, migrate, commands')
    expect(readers.get('`LOG_LEVEL`')).toBe('serve, facade, dispatch, console, migrate, simulator, commands')
    expect(readers.get('`DATA_DIR`')).toBe('npm start, commands')
  })

  it('hold every state with where it leads', () => {
    const rows = arrowsAsMarkdown()
    expect(rows).toHaveLength(Object.keys(ARROWS).length + 2)
    expect(rows).toContain('| `failed` | `successful` |')
    expect(rows).toContain('| `successful` | nothing: final |')
  })

  it('hold the schedule of deliveries, and how long each attempt is after the outcome', () => {
    const [attempts, , pauses, totals] = scheduleAsMarkdown()
    expect(attempts).toMatch(/^\| Attempt \| 1 \| 2 \| .* \| 14 \|$/)
    expect(pauses).toMatch(/^\| Pause \| 0s \| 2s \| 5s \| 15s \| 45s \| 2m \| .* \| 24h \|$/)
    expect(totals).toMatch(/^\| In all \| 0s \| 2s \| 7s \| 22s \| 1m07s \| .* \| 70h23m07s \|$/)
  })

  it('hold the figures of the results, with links that lead from the README, and a picture of the costs', () => {
    const results = [
      '# Results',
      '## What users ask for',
      '| Question | From |',
      '| --- | --- |',
      '| how fast? | [there](#whole), [why](../docs/why.md) |',
      '',
      '## Where the CPU of a payment goes',
      '| Part | ms |',
      '| --- | --: |',
      '| `serve`: all | 0.29 |',
      '',
      '## Next',
      '| other | table |',
    ].join('\n')
    expect(figuresAsMarkdown(results)).toEqual([
      '| Question | From |',
      '| --- | --- |',
      '| how fast? | [there](bench/RESULTS.md#whole), [why](docs/why.md) |',
    ])
    expect(costsAsMarkdown(results)).toEqual([
      '```mermaid',
      'pie showData title CPU of a payment, ms',
      '  "serve: all" : 0.29',
      '```',
    ])
    expect(() => figuresAsMarkdown('# Results')).toThrow('What users ask for')
  })

  it('are written between their markers and nowhere else', () => {
    const page = 'before\n<!-- arrows:start -->\nold\n<!-- arrows:end -->\nafter $& $1\n'
    const filled = fillIn(page)
    expect(filled).toBe(
      `before\n<!-- arrows:start -->\n\n${arrowsAsMarkdown().join('\n')}\n\n<!-- arrows:end -->\nafter $& $1\n`,
    )
    expect(fillIn(filled)).toBe(filled)
  })

  it('are reported when they are missing or behind the code', () => {
    const page = (text: string) => ({ path: 'docs/architecture.md', text })
    const problems = (text: string) =>
      generatedParts([page(text)])
        .filter(({ path }) => path === 'docs/architecture.md')
        .map(({ line, problem }) => `${line} ${problem}`)
    const written = fillIn('# A\n<!-- arrows:start -->\n<!-- arrows:end -->\n')
    expect(problems(written)).toEqual([])
    expect(problems(written.replace('`failed` | `successful`', '`failed` | `accepted`'))).toEqual([
      `${written.split('\n').findIndex((line) => line.startsWith('| `failed`')) + 1} is behind the code: run \`npm run generate\``,
    ])
    expect(problems('# A\n')).toEqual(['1 has no part <!-- arrows:start --> … <!-- arrows:end -->'])
  })
})

describe('operators’ words', () => {
  const page = (...rows: string[]) => ({
    path: 'docs/operations.md',
    text: ['| event | meaning |', '|---|---|', ...rows, '', '| `fsync` | a setting of Postgres |'].join('\n'),
  })
  const code = {
    path: 'src/core/a.ts',
    text: "log.info({ event: 'it_began' })\nlog.info({ event: `it_${how}` })",
  }
  const metric = { path: 'src/core/b.ts', text: "counterOf('gateway_things_total', 'Things')" }

  it('are all explained', () => {
    const explained = page('| `it_began` | x |', '| `it_ended` | x |', '| `gateway_things_total` | x |')
    expect(operatorsWords([explained, code, metric])).toEqual([])
  })

  it('are reported where they are not, and where nothing says them', () => {
    expect(operatorsWords([page('| `it_began` | x |', '| `gone` | x |'), code, metric])).toEqual([
      {
        path: 'src/core/b.ts',
        line: 1,
        problem: 'gateway_things_total is not explained in docs/operations.md',
      },
      { path: 'docs/operations.md', line: 4, problem: 'nothing in src says gone' },
    ])
  })
})

describe('standing alone', () => {
  it.each(['see ../shared/design.md', '/root/main/src', 'cd /root', 'in /home/jane/project'])(
    'finds %s',
    (text) => {
      expect(standsAlone([{ path: 'src/a.ts', text: `\n${text}` }])).toMatchObject([
        { path: 'src/a.ts', line: 2 },
      ])
    },
  )

  it.each(['https://shop.co.ke/home/1', '(`/root`, where only root may enter)', './home/x', 'homework/'])(
    'leaves %s',
    (text) => {
      expect(standsAlone([{ path: 'src/a.ts', text }])).toEqual([])
    },
  )
})

describe('links', () => {
  const files = [
    { path: 'docs/b.md', text: '# A heading: with `code`, and more' },
    { path: 'src/core/a.ts', text: '' },
  ]
  const problems = (text: string) =>
    links([{ path: 'docs/a.md', text }, ...files]).map(({ problem }) => problem)

  it('lead somewhere', () => {
    expect(
      problems(
        '[b](b.md) [h](b.md#a-heading-with-code-and-more) [up](../docs/b.md) [web](https://a.co.ke/x) `src/core/a.ts` `src/core/`',
      ),
    ).toEqual([])
  })

  it('are reported where they do not', () => {
    expect(problems('[c](c.md)\n[h](b.md#other)\n`src/core/b.ts`')).toEqual([
      'the link leads to docs/c.md, which is not there',
      'docs/b.md has no heading #other',
      'there is no src/core/b.ts',
    ])
  })
})
