import { promises as dns } from 'node:dns'

/** One question: the addresses of one family that a name has. */
export type Question = { hostname: string; family: 4 | 6 }

/**
 * Resolves with the addresses, of which there may be none; rejects with a `dns` error when no server says what there
 * is, or when the signal is aborted first.
 */
export type AskNameServers = (question: Question, signal: AbortSignal) => Promise<string[]>

/** How often a question is asked at least: packets are lost. */
const LEAST_ASKS = 3

/** What a server says that knows the answer: there is no such name, or it has no address of this family. */
const NONE_CODES = new Set(['ENOTFOUND', 'ENODATA'])

/** Longer than any question is waited for, ms: its signal ends it. */
const CHANNEL_MS = 60_000

/**
 * Asks name servers, each by its address, with a port where it is not 53. One that is silent for `askAgainMs` is not
 * given up: its answer counts whenever it comes, and until then the next one is asked too, round and round. One that
 * fails is not asked again. Who answered last is asked first, so that a dead server delays one question and not all.
 */
export const createAskNameServers = (options: {
  servers: () => readonly string[]
  askAgainMs: number
}): AskNameServers => {
  let answeredLast = ''
  return async (question, signal) => {
    const over = new AbortController()
    const end = (): void => over.abort()
    signal.addEventListener('abort', end)
    const ask = async (server: string): Promise<string[]> => {
      const addresses = await askOne(server, question, over.signal)
      answeredLast = server
      return addresses
    }
    const servers = startingWith(answeredLast, options.servers())
    try {
      return await firstAnswer({ servers, ask, askAgainMs: options.askAgainMs, signal: over.signal })
    } finally {
      end()
      signal.removeEventListener('abort', end)
    }
  }
}

const startingWith = (server: string, servers: readonly string[]): readonly string[] => {
  const start = Math.max(0, servers.indexOf(server))
  return [...servers.slice(start), ...servers.slice(0, start)]
}

/** Settles with the first answer, or with the last error when nobody is left to ask or to wait for. */
const firstAnswer = (options: {
  servers: readonly string[]
  ask: (server: string) => Promise<string[]>
  askAgainMs: number
  signal: AbortSignal
}): Promise<string[]> => {
  const { servers, ask, askAgainMs, signal } = options
  const { promise, resolve, reject } = Promise.withResolvers<string[]>()
  const asks = Math.max(LEAST_ASKS, servers.length)
  const queue = Array.from({ length: asks }, (_one, index) => servers[index % servers.length] ?? '')
  const failed = new Set<string>()
  let waitingFor = 0
  let timer: NodeJS.Timeout | undefined

  const askNext = (): void => {
    clearTimeout(timer)
    const server = queue.find((one) => !failed.has(one))
    if (server === undefined || signal.aborted) return
    queue.splice(0, queue.indexOf(server) + 1)
    timer = setTimeout(askNext, askAgainMs)
    waitingFor += 1
    ask(server).then(resolve, (error: unknown) => {
      failed.add(server)
      waitingFor -= 1
      askNext()
      if (waitingFor === 0) reject(error)
    })
  }
  askNext()
  return promise.finally(() => clearTimeout(timer))
}

/**
 * Asks one server once. A channel of c-ares counts time-outs of all its questions together, tries servers in an order
 * of its own, and learns from quick answers to wait for less than a slow zone takes: so each question has a channel of
 * its own.
 */
const askOne = async (
  server: string,
  { hostname, family }: Question,
  signal: AbortSignal,
): Promise<string[]> => {
  const resolver = new dns.Resolver({ timeout: CHANNEL_MS, tries: 1 })
  resolver.setServers([server])
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel)
  try {
    return await (family === 4 ? resolver.resolve4(hostname) : resolver.resolve6(hostname))
  } catch (error) {
    if (error instanceof Error && 'code' in error && NONE_CODES.has(String(error.code))) return []
    throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
