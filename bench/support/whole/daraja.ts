import { startBenchServer } from '../server-process.ts'

/** What Daraja saw of a payment: when, ms since 1970, and how often it was pushed. */
export type Seen = { pushedAtMs: number; calledBackAtMs: number; pushes: number; callbacksTaken: number }

/** Daraja's stand-in in a process of its own. */
export type BenchDaraja = {
  url: string
  /** What it saw since it was last asked, by the payment's reference. */
  take(): Promise<Map<string, Seen>>
  stop(): Promise<void>
}

/** A push is answered after `answerMs`; the callback comes `payerMs` after that. */
export const startBenchDaraja = async (options: {
  answerMs: number
  payerMs: number
}): Promise<BenchDaraja> => {
  const server = await startBenchServer('daraja', {}, [String(options.answerMs), String(options.payerMs)])
  const url = server.ready['url'] ?? ''
  return {
    url,
    take: async () => {
      const text = await (await fetch(`${url}/_take`, { method: 'POST' })).text()
      const lines = text.split('\n').filter((line) => line !== '')
      return new Map(lines.map((line) => toSeen(line.split(' '))))
    },
    stop: () => server.stop(),
  }
}

const toSeen = ([reference = '', ...numbers]: string[]): [string, Seen] => {
  const [pushedAtMs = 0, calledBackAtMs = 0, pushes = 0, callbacksTaken = 0] = numbers.map(Number)
  return [reference, { pushedAtMs, calledBackAtMs, pushes, callbacksTaken }]
}
