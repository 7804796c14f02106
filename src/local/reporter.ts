import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { createLog, flushLog, type LogLevel } from '../runtime/log.ts'
import { announceReady } from '../runtime/ready.ts'
import { toVisibleLine } from '../values/visible-text.ts'
import type { Received } from './receiver.ts'
import type { Running } from './running.ts'

/** What `npm start` prints of what happens: for a person, or for a script. */
export type Reporter = {
  /** What `npm start` itself does. */
  readonly say: (text: string) => void
  /** A line of a process's log. */
  readonly passLogLine: (name: string, line: string) => void
  /** A callback that the receiver got. */
  readonly reportReceived: (received: Received) => void
  readonly reportReady: (running: Running) => void
  /** Resolves when all of it is written. */
  readonly finish: () => Promise<void>
}

/** For scripts: one line on standard output when all is ready; everything else is log lines on standard error. */
export const reporterForScripts = (level: LogLevel): Reporter => {
  const log = createLog({ name: 'start', level })
  return {
    say: (text) => log.info({ event: 'local', text }),
    passLogLine: (_name, line) => process.stderr.write(`${line}\n`),
    reportReceived: ({ path, body }) => log.info({ event: 'callback_received', path, bytes: body.length }),
    reportReady: ({ ready: _ready, ...fields }) => announceReady({ json: true, text: '', fields }),
    finish: () => flushLog(log),
  }
}

/** For a person: few and readable lines, and each callback in full. */
export const reporterForPeople = (dataDir: string): Reporter => {
  const print = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  const say = (text: string): void => {
    process.stderr.write(`${text}\n`)
  }
  return {
    say,
    passLogLine: (name, line) => {
      const readable = readableLogLine(name, line)
      if (readable !== null) say(readable)
    },
    reportReceived: ({ path, body, receivedAt }) => {
      const parsed = parseJson(body)
      // JSON over several lines is easier to read; other bodies are shown as they came.
      const shown = parsed === undefined ? body : JSON.stringify(parsed, null, 2)
      print(`\n${receivedAt.toISOString().slice(11, 19)} callback received, POST ${path}\n${shown}\n`)
    },
    reportReady: (running) => print(banner(running, { dataDir, unique: randomBytes(3).toString('hex') })),
    finish: () => Promise.resolve(),
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const logLine = z.looseObject({ level: z.string(), time: z.string(), event: z.string().optional() })

/** What a log line holds beside its event that a person need not see. */
const HIDDEN_FIELDS = new Set(['level', 'time', 'name', 'pid', 'event', 'msg', 'stack'])

const SHOWN_LEVELS = new Set(['warn', 'error', 'fatal'])

const valueAsText = (value: unknown): string =>
  typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)

/**
 * A line of a process's log as a person at a terminal wants it, `10:58:12 dispatch: delivery_failed status=500`; null
 * for what is not worth a line: all but warnings, errors and what happens to deliveries. What is no log line stays as
 * it is, but for what a terminal would obey.
 */
export const readableLogLine = (name: string, line: string): string | null => {
  const parsed = logLine.safeParse(parseJson(line)).data
  if (parsed === undefined) return line.trim() === '' ? null : toVisibleLine(`${name}: ${line}`)
  const { level, time, event = '' } = parsed
  if (!SHOWN_LEVELS.has(level) && !event.startsWith('delivery')) return null
  const details = Object.entries(parsed)
    .filter(([key, value]) => !HIDDEN_FIELDS.has(key) && value !== null)
    .map(([key, value]) => `${key}=${valueAsText(value)}`)
  const shownLevel = level === 'info' ? [] : [`${level}:`]
  return toVisibleLine([time.slice(11, 19), `${name}:`, ...shownLevel, event, ...details].join(' '))
}

/** The request to paste: works as it stands, and once more to see a duplicate answered. */
const demoCurl = (running: Running, idempotencyKey: string): string =>
  [
    `curl -X POST "${running.http_url}/api/v1/mpesa/stk_push" \\`,
    '  -H "Content-Type: application/json" \\',
    `  -H "X-API-KEY: ${running.api_key}" \\`,
    `  -H "X-Idempotency-Key: ${idempotencyKey}" \\`,
    `  -d '{"phone":"254712345678","amount":150,"reference":"INV-2025-001","callback_url":"${running.receiver_url}/payment_callback"}'`,
  ].join('\n')

const table = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([name, value]) => `  ${name.padEnd(18)}${value}`).join('\n')

const healthOf = ({ ops_url, dispatcher_ops_url, console_ops_url }: Running): string =>
  [
    ops_url,
    `dispatcher ${dispatcher_ops_url}`,
    ...(console_ops_url === null ? [] : [`console ${console_ops_url}`]),
  ].join(', ')

/** The text for the terminal when everything runs: where what is, and what to type next. */
export const banner = (
  running: Running,
  /** `unique` is a part of the idempotency key that no earlier run used. */
  options: { dataDir: string; unique: string },
): string => {
  const simulator: [string, string][] =
    running.simulator_url === null
      ? []
      : [['Daraja simulator', `${running.simulator_url}  (its prompts: /_ledger)`]]
  return [
    `The M-PESA gateway runs on this machine. Its data is in ${options.dataDir}; Ctrl-C ends it.`,
    '',
    table([
      ['REST', `${running.http_url}/api/v1  (its description: ${running.http_url}/docs)`],
      ['gRPC', running.grpc_url],
      ['Connect', running.connect_url],
      ['health, metrics', healthOf(running)],
      ...(running.console_url === null
        ? []
        : [['console', `${running.console_url}  (sign in once: ${running.console_sign_in_url})`] as const]),
      ...simulator,
      ['receiver', `${running.receiver_url}  (what it got: /_received)`],
      ['Postgres', running.database_url],
      ['NATS', running.nats_url ?? 'none: the dispatcher works from Postgres alone'],
    ]),
    '',
    'Ask for a payment, in another terminal (the same once more is answered as a duplicate):',
    '',
    demoCurl(running, `demo-${options.unique}`),
    '',
    'Its callback will be shown here.',
    '',
  ].join('\n')
}
