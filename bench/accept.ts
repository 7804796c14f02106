import { cpuSeconds } from './support/cpu-time.ts'
import { findLoadGenerator, type LoadGenerator, type LoadResult } from './support/load.ts'
import { withOwnDatabase } from './support/own-database.ts'
import { median, printTable } from './support/report.ts'
import { startBenchServer } from './support/server-process.ts'

/** A server of bench/servers that has its turn in each round, with what else is in its environment. */
type Turn = { name: string; server: 'echo' | 'accept' | 'one-insert'; environment: Record<string, string> }

/** In the order they run: the two yardsticks and, between them, what is measured. */
const TURNS: readonly Turn[] = [
  { name: 'echo', server: 'echo', environment: {} },
  { name: 'accept', server: 'accept', environment: {} },
  { name: 'one-insert', server: 'one-insert', environment: {} },
]

/** What is measured once more, each payment traced: next to itself without, so that both meet the same moods. */
export const turnsWith = (collectorUrl: string): readonly Turn[] =>
  TURNS.flatMap((turn) =>
    turn.name === 'accept'
      ? [
          { ...turn, environment: { OTEL_TRACES_EXPORTER: 'none' } },
          { name: TRACED, server: 'accept', environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl } },
        ]
      : [turn],
  )

const TRACED = 'accept, traced'

/**
 * `npm run bench accept`: requests a second, p99 and the server's CPU of `stk_push` at so many connections, each with a
 * durable commit, beside a bare `node:http` JSON echo and beside Fastify with one INSERT a request. The three take turns
 * for `rounds` rounds of `seconds`, so that the machine's moods hit all of them; printed are medians, and ratios of each
 * round's figures. With `tracing` the same has a further turn in which spans are made of each payment and sent to a
 * collector.
 */
export const benchAccept = async (options: {
  rounds: number
  seconds: number
  connections: number
  tracing?: true
}): Promise<void> => {
  const { tracing, ...load } = options
  await withOwnDatabase(async ({ databaseUrl, say }) => {
    const generator = await findLoadGenerator()
    say(
      `load by ${generator.name}, ${load.rounds} rounds of ${load.seconds} s, ${load.connections} connections`,
    )
    const collector = tracing ? await startBenchServer('collector', {}) : null
    try {
      const turns = collector ? turnsWith(collector.ready['url'] ?? '') : TURNS
      report(await measure({ turns, ...load, databaseUrl, generator }))
      if (collector) process.stdout.write(`the collector: ${await collector.ask('how many')}\n`)
    } finally {
      await collector?.stop()
    }
  })
}

/** What a load came to, and what CPU the server took of it, µs a request. */
type Measured = LoadResult & { cpuUs: number }

/** By the names of the turns. */
type Results = ReadonlyMap<string, Measured[]>

const measure = async (options: {
  turns: readonly Turn[]
  rounds: number
  seconds: number
  connections: number
  databaseUrl: string
  generator: LoadGenerator
}): Promise<Results> => {
  const results = new Map(options.turns.map(({ name }): [string, Measured[]] => [name, []]))
  // The first round warms the compiler, the page cache and the tables, and is not counted.
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const turn of options.turns) {
      const result = await measureOnce({ ...options, turn })
      if (round > 0) results.get(turn.name)?.push(result)
    }
  }
  return results
}

/** Each turn has a fresh process, warmed for two seconds before it counts. */
const measureOnce = async (options: {
  turn: Turn
  seconds: number
  connections: number
  databaseUrl: string
  generator: LoadGenerator
}): Promise<Measured> => {
  const { server: name, environment } = options.turn
  const server = await startBenchServer(name, { DATABASE_URL: options.databaseUrl, ...environment })
  try {
    const load = {
      url: server.ready['url'] ?? '',
      apiKey: server.ready['api_key'] ?? 'none',
      connections: options.connections,
    }
    await options.generator.load({ ...load, seconds: 2 })
    const before = await cpuOf(server.pid)
    const result = await options.generator.load({ ...load, seconds: options.seconds })
    const requests = result.perSecond * options.seconds
    return { ...result, cpuUs: ((await cpuOf(server.pid)) - before) * (1_000_000 / requests) }
  } finally {
    await server.stop()
  }
}

const cpuOf = async (pid: number): Promise<number> => (await cpuSeconds(pid)) ?? Number.NaN

/** Of whom the ratio is printed, to whom, and what it is to be; null: as near to 1 as can be. */
const RATIOS = [
  ['accept', 'echo', 0.35],
  ['accept', 'one-insert', 1.8],
  [TRACED, 'accept', null],
] as const

const report = (results: Results): void => {
  printTable(
    [...results].map(([server, figures]) => ({
      server,
      'requests/s': Math.round(median(figures.map((result) => result.perSecond))),
      'p50 ms': median(figures.map((result) => result.p50Ms)).toFixed(1),
      'p99 ms': median(figures.map((result) => result.p99Ms)).toFixed(1),
      'CPU µs': median(figures.map((result) => result.cpuUs)).toFixed(0),
      failed: figures.reduce((sum, result) => sum + result.failed, 0),
    })),
  )
  for (const [measured, yardstick, aim] of RATIOS) {
    const rounds = (results.get(measured) ?? []).flatMap((result, round) => {
      const beside = results.get(yardstick)?.[round]
      return beside ? [{ rate: result.perSecond / beside.perSecond, cpu: result.cpuUs / beside.cpuUs }] : []
    })
    if (rounds.length === 0) continue
    const each = rounds.map(({ rate }) => rate.toFixed(2)).join(', ')
    const rate = `${median(rounds.map((round) => round.rate)).toFixed(2)} (${each})${aim === null ? '' : `, aim ${aim}`}`
    const cpu = median(rounds.map((round) => round.cpu)).toFixed(2)
    process.stdout.write(`${measured} / ${yardstick}: ${rate}; CPU of a request ${cpu}\n`)
  }
}
