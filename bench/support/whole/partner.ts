import { type BenchServer, startBenchServer } from '../server-process.ts'

/** What the partners are to do. */
export type PartnerOrder = {
  url: string
  /** A payment is asked for with the next of them. */
  apiKeys: string[]
  /** What the references of this order's payments begin with: at most six letters and digits. */
  prefix: string
  /** The partners' addresses, each with so many connections. */
  addresses: number
  connections: number
  /** For how long they repeat what was refused for now or not answered, as the guide says, ms; 0: they do not. */
  repeatForMs: number
  /** A closed loop: so many are under way at once, each from its request until its outcome is there. */
  clients?: { count: number; atOnce: number }
  /** Steady loads one after the other: each is asked for at its instant, whatever becomes of those before. */
  steps?: { perSecond: number; seconds: number }[]
}

/** What became of a payment at the partner; instants in ms since 1970, 0 for what did not happen. */
export type PartnerPayment = {
  reference: string
  /** When it was to be asked for. */
  dueMs: number
  /** When it was asked for the last time. */
  askedMs: number
  /** When the last answer came, or its absence was known, and its HTTP status; 0 for none. */
  answeredMs: number
  status: number
  /** How often it was asked for again, how often it was refused with 429 or 503, and when last. */
  repeats: number
  refusals: number
  refusedMs: number
  deliveredMs: number
  /** How often its outcome was delivered, and what it was: `successful` or `failed`. */
  times: number
  outcome: string
}

/** The partners in a process of their own. */
export type BenchPartner = { run(order: PartnerOrder): Promise<PartnerPayment[]>; stop(): Promise<void> }

export const startBenchPartner = async (): Promise<BenchPartner> => {
  const server: BenchServer = await startBenchServer('partner', {})
  return {
    run: async (order) => JSON.parse(await server.ask(JSON.stringify(order))) as PartnerPayment[],
    stop: () => server.stop(),
  }
}
