import { randomBytes } from 'node:crypto'
import { createLog, flushLog, type LogLevel } from '../runtime/log.ts'
import { announceReady } from '../runtime/ready.ts'
import { banner } from './banner.ts'
import { readableLogLine } from './log-line.ts'
import type { Received } from './receiver.ts'
import type { Running } from './running.ts'

/** How `npm start` tells what happens: to a person, or to a script. */
export type Voice = {
  /** What `npm start` itself does. */
  readonly say: (text: string) => void
  /** A line of a process's log. */
  readonly passLogLine: (name: string, line: string) => void
  /** A callback that the receiver got. */
  readonly tellReceived: (received: Received) => void
  readonly tellReady: (running: Running) => void
  /** Resolves when all of it is written. */
  readonly finish: () => Promise<void>
}

/** For scripts: one line on standard output when all is ready; everything else is log lines on standard error. */
export const voiceForScripts = (level: LogLevel): Voice => {
  const log = createLog({ name: 'start', level })
  return {
    say: (text) => log.info({ event: 'local', text }),
    passLogLine: (_name, line) => process.stderr.write(`${line}\n`),
    tellReceived: ({ path, body }) => log.info({ event: 'callback_received', path, bytes: body.length }),
    tellReady: ({ ready: _ready, ...fields }) => announceReady({ json: true, text: '', fields }),
    finish: () => flushLog(log),
  }
}

/** For a person: few and readable lines, and each callback in full. */
export const voiceForPeople = (dataDir: string): Voice => {
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
    tellReceived: ({ path, body, receivedAt }) =>
      print(
        `\n${receivedAt.toISOString().slice(11, 19)} callback received, POST ${path}\n${indented(body)}\n`,
      ),
    tellReady: (running) => print(banner({ running, dataDir, unique: randomBytes(3).toString('hex') })),
    finish: () => Promise.resolve(),
  }
}

/** JSON over several lines, which is easier to read; other bodies as they came. */
const indented = (body: string): string => {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
