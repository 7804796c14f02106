import type { CommandResult } from './run-command.ts'

/** What a check found: nothing wrong, nothing to hold against (and why), or what is wrong. */
export type Outcome =
  | { kind: 'passed' }
  | { kind: 'skipped'; why: string }
  | { kind: 'failed'; output: string }

/** A command's end as the outcome of a check. */
export const toOutcome = ({ code, output, problem }: CommandResult): Outcome =>
  code === 0
    ? { kind: 'passed' }
    : { kind: 'failed', output: problem === null ? output : `${output}${problem}\n` }
