import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crashPoints } from './tidy/crash-points.ts'
import { generatedParts } from './tidy/generated-parts.ts'
import { importRule } from './tidy/import-rule.ts'
import { links } from './tidy/links.ts'
import { namedColumns } from './tidy/named-columns.ts'
import { operatorsWords } from './tidy/operators-words.ts'
import { pageWidth } from './tidy/page-width.ts'
import { type Finding, type ProjectFile, type Rule, readProject } from './tidy/project.ts'
import { risks } from './tidy/risks.ts'
import { runbooks } from './tidy/runbooks.ts'
import { standsAlone } from './tidy/stands-alone.ts'
import { words } from './tidy/words.ts'

// The project's own rules, which no linter knows. `npm run check` runs this file with the others; by itself it is
// `npx node scripts/tidy.ts`. Length of files and functions, barrels and default exports are the linter's.

const RULES: Readonly<Record<string, Rule>> = {
  'import rule': importRule,
  'crash points': crashPoints,
  words,
  'named columns': namedColumns,
  'generated parts': generatedParts,
  'operators’ words': operatorsWords,
  'stands alone': standsAlone,
  risks,
  runbooks,
  links,
  'page width': pageWidth,
}

const run = (files: readonly ProjectFile[]): string[] =>
  Object.entries(RULES).flatMap(([name, rule]) => rule(files).map((finding) => toLine(name, finding)))

const toLine = (rule: string, { path, line, problem }: Finding): string =>
  `${path}:${line}  ${problem}  (${rule})\n`

const findings = run(await readProject(dirname(dirname(fileURLToPath(import.meta.url)))))
process.stdout.write(findings.join(''))
process.exitCode = findings.length === 0 ? 0 : 1
