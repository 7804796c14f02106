import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { playHistories } from './histories/main.ts'
import { describePlan, makePlan } from './plan.ts'
import { runSeed, type SeedResult } from './run-seed.ts'
import { startOwnServices } from './services.ts'

// `npm run test:faults -- --seeds 50 --seconds 30`: random faults, each run with a seed of its own, and a table of what the
// ledgers said. `SEED=7 npm run test:faults` repeats one run. Prints each plan before it is played. Histories of the public
// API have a word of their own: `npm run test:faults -- histories --count 50`.

const HELP =
  'usage: npm run test:faults -- [--seeds COUNT] [--seconds LENGTH] [--first SEED]; SEED=… repeats one run\n'

const HEADINGS = [
  'seed',
  'answered',
  'prompted',
  'delivered',
  'lost',
  'prompted twice',
  'duplicates delivered',
  'unconfirmed',
  'finished in',
] as const

const toRow = (result: SeedResult): string[] => [
  String(result.seed),
  ...[
    result.answered,
    result.prompted,
    result.delivered,
    result.lost,
    result.promptedTwice,
    result.duplicatesDelivered,
    result.unconfirmed,
  ].map(String),
  `${(result.finishedInMs / 1000).toFixed(1)} s`,
]

const print = (cells: readonly string[]): void => {
  process.stdout.write(
    `| ${cells.map((cell, at) => cell.padStart((HEADINGS[at] ?? '').length)).join(' | ')} |\n`,
  )
}

const readArguments = () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seconds: { type: 'string' },
      first: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const chosen = process.env['SEED']
  return {
    help: values.help === true,
    seconds: Number(values.seconds ?? 10),
    count: chosen === undefined ? Number(values.seeds ?? 5) : 1,
    first: Number(chosen ?? values.first ?? randomInt(1_000_000)),
  }
}

const main = async (): Promise<void> => {
  const { help, seconds, count, first } = readArguments()
  const areRight = [seconds, count, first].every((number) => Number.isSafeInteger(number) && number >= 0)
  if (help || !areRight) {
    process.stderr.write(HELP)
    process.exitCode = help ? 0 : 2
    return
  }
  await using services = new AsyncDisposableStack()
  const own = services.adopt(await startOwnServices(), (one) => one.close())
  print(HEADINGS)
  for (let seed = first; seed < first + count; seed += 1) {
    process.stderr.write(
      `\nseed ${seed}, ${seconds} s:\n${describePlan(makePlan(seed, seconds)).join('\n')}\n`,
    )
    const result = await runSeed({ services: own, seed, seconds })
    print(toRow(result))
    if (result.problems.length === 0) continue
    process.stdout.write(result.problems.map((problem) => `    ${problem}\n`).join(''))
    process.stdout.write(`    again: SEED=${seed} npm run test:faults -- --seconds ${seconds}\n`)
    process.exitCode = 1
  }
}

const [word, ...others] = process.argv.slice(2)
if (word === 'histories') await playHistories(others)
else await main()
// Left to end by itself, Node closes what handles it still has; after many runs it was seen to wait for one of them for ever.
process.exit()
