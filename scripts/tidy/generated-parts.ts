import { codeToString } from '@connectrpc/connect/protocol-connect'
import { FAILURES } from '../../src/core/payments/failures.ts'
import { ARROWS } from '../../src/core/payments/states.ts'
import { REASONS } from '../../src/core/services/failure.ts'
import { banner } from '../../src/local/reporter.ts'
import { COMMAND_SETTINGS, MIGRATE_SETTINGS, SIMULATE_SETTINGS } from '../../src/runtime/command-settings.ts'
import { namesIn } from '../../src/runtime/config.ts'
import { CONSOLE_SETTINGS } from '../../src/runtime/console-config.ts'
import { DISPATCH_SETTINGS } from '../../src/runtime/dispatch-config.ts'
import { FACADE_SETTINGS } from '../../src/runtime/facade-config.ts'
import { SERVE_SETTINGS } from '../../src/runtime/serve-config.ts'
import type { Setting } from '../../src/runtime/settings/setting.ts'
import { SETTINGS, type SettingName } from '../../src/runtime/settings.ts'
import {
  callOutcomesAsMarkdown,
  outcomesAsMarkdown,
  rareOutcomesAsMarkdown,
} from '../../src/simulator/outcome-tables.ts'
import { toFailureReasonName } from '../../src/values/failure-reason.ts'
import { alertsAsRows } from '../alerts/render-rules.ts'
import { costsAsMarkdown, figuresAsMarkdown } from './figures.ts'
import type { Finding, ProjectFile, Rule } from './project.ts'

/** A part of a page that is written from the code: it stands between `<!-- name:start -->` and `<!-- name:end -->`. */
type Part = { name: string; lines: readonly string[] }

const toTable = (headings: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)

const defaultOf = ({ default: text }: Setting<unknown>): string => {
  if (text === undefined) return 'required'
  return text === null ? 'none' : `\`${text}\``
}

const READERS: readonly (readonly [string, readonly SettingName[]])[] = [
  ['serve', namesIn(SERVE_SETTINGS)],
  ['facade', namesIn(FACADE_SETTINGS)],
  ['dispatch', namesIn(DISPATCH_SETTINGS)],
  ['console', namesIn(CONSOLE_SETTINGS)],
  ['migrate', MIGRATE_SETTINGS],
  ['simulator', SIMULATE_SETTINGS],
  ['npm start', ['DATA_DIR']],
  ['commands', [...COMMAND_SETTINGS, 'DATA_DIR']],
]

/** Which commands read a setting, in the words of docs/settings.md. */
const readersOf = (name: string): string =>
  READERS.flatMap(([reader, names]) => (names.some((one) => one === name) ? [reader] : [])).join(', ')

/** The settings as a table: what the code reads, in its order. A value that somebody set is never among it. */
export const settingsAsMarkdown = (): string[] =>
  toTable(
    ['Variable', 'Read by', 'Default', 'What it is'],
    Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => [
      `\`${name}\``,
      readersOf(name),
      defaultOf(setting),
      setting.secret === true ? `${setting.help} (secret)` : setting.help,
    ]),
  )

/** Where each state of a payment may lead, as a table. */
export const arrowsAsMarkdown = (): string[] =>
  toTable(
    ['From', 'To'],
    Object.entries(ARROWS).map(([from, to]) => [
      `\`${from}\``,
      to.map((state) => `\`${state}\``).join(', ') || 'nothing: final',
    ]),
  )

/** The pause before each attempt to deliver, and the time from the outcome to it without delays, as a table. */
export const scheduleAsMarkdown = (): string[] => {
  const { parse, default: usual } = SETTINGS.DELIVERY_SCHEDULE
  const pauses = parse.parse(usual).map((pauseMs) => pauseMs / 1000)
  const totals = pauses.map((_pause, index) =>
    pauses.slice(0, index + 1).reduce((sum, pause) => sum + pause, 0),
  )
  return toTable(
    ['Attempt', ...pauses.map((_pause, index) => String(index + 1))],
    [
      ['Pause', ...pauses.map(durationText)],
      ['In all', ...totals.map(durationText)],
    ],
  )
}

/** Seconds as `1h23m07s`, without the units that are nought at either end. */
const durationText = (seconds: number): string => {
  const counts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const first = counts.findIndex((count) => count > 0)
  const last = counts.findLastIndex((count) => count > 0)
  if (first < 0) return '0s'
  const texts = counts.map(
    (count, index) => `${index > first ? String(count).padStart(2, '0') : count}${'hms'[index]}`,
  )
  return texts.slice(first, last + 1).join('')
}

/** What `npm start` prints, with the usual ports, and nothing in the place of secrets. */
export const bannerAsMarkdown = (): string[] => {
  const running = {
    ready: true as const,
    http_url: 'http://127.0.0.1:8080',
    grpc_url: 'http://127.0.0.1:9090',
    connect_url: 'http://127.0.0.1:9080',
    ops_url: 'http://127.0.0.1:8081',
    dispatcher_ops_url: 'http://127.0.0.1:8082',
    console_url: 'http://127.0.0.1:8083',
    console_sign_in_url: 'http://127.0.0.1:8083/sign-in/link#…',
    console_ops_url: 'http://127.0.0.1:8084',
    simulator_url: 'http://127.0.0.1:8090',
    receiver_url: 'http://127.0.0.1:8091',
    database_url: 'postgres://postgres:…@127.0.0.1:5432/gateway',
    nats_url: 'nats://127.0.0.1:4222',
    spool_dir: '.data/spool',
    api_key: 'mpg_…',
    pids: {},
  }
  const text = banner(running, { dataDir: '.data', unique: '1a2b3c' })
  return ['```text', ...text.trimEnd().split('\n'), '```']
}

/** Why calls over gRPC fail, with the code of each reason, as a table. */
const reasonsAsMarkdown = (): string[] =>
  toTable(
    ['Reason', 'Code', 'What it means'],
    Object.entries(REASONS).map(([reason, [code, meaning]]) => [
      `\`${reason}\``,
      `\`${codeToString(code).toUpperCase()}\``,
      meaning,
    ]),
  )

/** Why payments fail, as partners see it, as a table. */
const failuresAsMarkdown = (): string[] =>
  toTable(
    ['`reason`', '`result_code`', '`worth_retrying`', '`message.en`', '`message.sw`'],
    FAILURES.map(({ reason, codes, worthRetrying, message }) => [
      `\`${toFailureReasonName(reason)}\``,
      codes.map((code) => `\`${code}\``).join(', ') || 'others',
      String(worthRetrying),
      message.en,
      message.sw,
    ]),
  )

const parts = (): Part[] => [
  { name: 'banner', lines: bannerAsMarkdown() },
  { name: 'figures', lines: figuresAsMarkdown() },
  { name: 'costs', lines: costsAsMarkdown() },
  { name: 'settings', lines: settingsAsMarkdown() },
  { name: 'outcomes', lines: outcomesAsMarkdown() },
  { name: 'rare-outcomes', lines: rareOutcomesAsMarkdown() },
  { name: 'call-outcomes', lines: callOutcomesAsMarkdown() },
  { name: 'arrows', lines: arrowsAsMarkdown() },
  { name: 'schedule', lines: scheduleAsMarkdown() },
  { name: 'reasons', lines: reasonsAsMarkdown() },
  { name: 'failures', lines: failuresAsMarkdown() },
  { name: 'alerts', lines: toTable(['alert', 'severity', 'expression', 'for'], alertsAsRows()) },
]

const marked = (name: string): RegExp =>
  new RegExp(`(<!-- ${name}:start -->\n)[\\s\\S]*?(<!-- ${name}:end -->)`)

/** The page's text with every generated part as the code would have it. */
export const fillIn = (text: string): string =>
  parts().reduce(
    (page, { name, lines }) =>
      page.replace(
        marked(name),
        (_found, start: string, end: string) => `${start}\n${lines.join('\n')}\n\n${end}`,
      ),
    text,
  )

/** Where each part must be. */
const HOMES: readonly { path: string; name: string }[] = [
  { path: 'README.md', name: 'banner' },
  { path: 'README.md', name: 'figures' },
  { path: 'README.md', name: 'costs' },
  { path: 'docs/settings.md', name: 'settings' },
  { path: 'docs/simulator.md', name: 'outcomes' },
  { path: 'docs/simulator.md', name: 'rare-outcomes' },
  { path: 'docs/simulator.md', name: 'call-outcomes' },
  { path: 'docs/architecture.md', name: 'arrows' },
  { path: 'docs/partner-guide.md', name: 'failures' },
  { path: 'docs/partner-guide.md', name: 'schedule' },
  { path: 'docs/grpc.md', name: 'reasons' },
  { path: 'docs/operations.md', name: 'alerts' },
]

/** The pages' generated parts are in step with the code, and where they belong. */
export const generatedParts: Rule = (files) => [
  ...missing(files),
  ...files.filter(isPage).flatMap(differences),
]

export const isPage = ({ path }: ProjectFile): boolean => path.endsWith('.md')

const missing = (files: readonly ProjectFile[]): Finding[] =>
  HOMES.filter(
    ({ path, name }) => !marked(name).test(files.find((file) => file.path === path)?.text ?? ''),
  ).map(({ path, name }) => ({
    path,
    line: 1,
    problem: `has no part <!-- ${name}:start --> … <!-- ${name}:end -->`,
  }))

const differences = ({ path, text }: ProjectFile): Finding[] => {
  const [is, should] = [text.split('\n'), fillIn(text).split('\n')]
  const index = should.findIndex((line, at) => line !== is[at])
  return index < 0 && is.length === should.length
    ? []
    : [{ path, line: Math.max(index, 0) + 1, problem: 'is behind the code: run `npm run generate`' }]
}
