import { randomInt } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startOwnServices } from '../services.ts'
import { runHistory } from './run-history.ts'

// `npm run test:faults -- histories --count 50 --seconds 20`: histories of the public API under random faults, each with a seed
// of its own, judged by the checker. A history that is wrong is kept, one call a line; `SEED=7` repeats one run.

const HELP =
  'usage: npm run test:faults -- histories [--count COUNT] [--seconds LENGTH] [--first SEED]; SEED=… repeats one run\n'

/** Where histories that are wrong are kept. */
const FOLDER = join(import.meta.dirname, '..', '..', '..', '.data', 'histories')

const readArguments = (args: readonly string[]) => {
  const options = {
    count: { type: 'string' },
    seconds: { type: 'string' },
    first: { type: 'string' },
    help: { type: 'boolean' },
  } as const
  const { values } = parseArgs({ args: [...args], options })
  const chosen = process.env['SEED']
  return {
    help: values.help === true,
    count: chosen === undefined ? Number(values.count ?? 5) : 1,
    seconds: Number(values.seconds ?? 10),
    first: Number(chosen ?? values.first ?? randomInt(1_000_000)),
  }
}

/** Plays and judges histories; a line each, and one of all. Sets the exit code. */
export const playHistories = async (args: readonly string[]): Promise<void> => {
  const { help, count, seconds, first } = readArguments(args)
  const areRight = [count, seconds, first].every((number) => Number.isSafeInteger(number) && number >= 0)
  if (help || !areRight) {
    process.stderr.write(HELP)
    process.exitCode = help ? 0 : 2
    return
  }
  await using open = new AsyncDisposableStack()
  const services = open.adopt(await startOwnServices(), (one) => one.close())
  const sum = { histories: 0, answered: 0, unknown: 0, payments: 0, wrong: 0 }
  for (let seed = first; seed < first + count; seed += 1) {
    const { history, answered, unknown, payments, problems } = await runHistory({ services, seed, seconds })
    process.stdout.write(
      `seed ${seed}: ${answered} calls answered, ${unknown} unknown, ${payments} payments, ${problems.length} problems\n`,
    )
    sum.histories += 1
    sum.answered += answered
    sum.unknown += unknown
    sum.payments += payments
    if (problems.length === 0) continue
    sum.wrong += 1
    process.exitCode = 1
    await mkdir(FOLDER, { recursive: true })
    const path = join(FOLDER, `${seed}.jsonl`)
    await writeFile(path, history.map((call) => `${JSON.stringify(call)}\n`).join(''))
    process.stdout.write(problems.map((problem) => `    ${problem}\n`).join(''))
    process.stdout.write(
      `    kept in ${path}; again: SEED=${seed} npm run test:faults -- histories --seconds ${seconds}\n`,
    )
  }
  process.stdout.write(
    `${sum.histories} histories of ${sum.answered + sum.unknown} calls (${sum.unknown} unknown) on ${sum.payments} payments: ${sum.wrong} wrong\n`,
  )
}
