import { type BenchServer, startBenchServer } from './server-process.ts'

/** What came under one id: when it came first, ms since 1970, and how often. */
export type Arrival = { atMs: number; times: number }

/** A partner's endpoint in a process of its own, that knows what it got. */
export type BenchReceiver = {
  pid: number
  url: string
  port: string
  /** What came since it was last asked. */
  take(): Promise<Map<string, Arrival>>
  /** How many ids came since. */
  count(): Promise<number>
  stop(): Promise<void>
}

export const startBenchReceiver = async (): Promise<BenchReceiver> => {
  const server: BenchServer = await startBenchServer('receiver', {})
  const { url = '', port = '' } = server.ready
  const ask = async (path: string): Promise<string> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST' })
    return answer.text()
  }
  return {
    pid: server.pid,
    url,
    port,
    take: async () => {
      const lines = (await ask('/_take')).split('\n').filter((line) => line !== '')
      return new Map(lines.map((line) => toArrival(line.split(' '))))
    },
    count: async () => Number(await ask('/_count')),
    stop: () => server.stop(),
  }
}

const toArrival = ([id = '', atMs, times]: string[]): [string, Arrival] => [
  id,
  { atMs: Number(atMs), times: Number(times) },
]

/** Holds what came against what was to come: how many ids are missing, and how many came more than once. */
export const verify = (
  arrivals: ReadonlyMap<string, Arrival>,
  expected: Iterable<string>,
): { lost: number; duplicates: number } => {
  let lost = 0
  for (const id of expected) if (!arrivals.has(id)) lost += 1
  const duplicates = [...arrivals.values()].reduce((sum, { times }) => sum + times - 1, 0)
  return { lost, duplicates }
}
