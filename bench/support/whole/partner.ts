import { type BenchServer, startBenchServer } from '../server-process.ts'

/**
 * What the partners are to do: ask for `count` payments, with the keys in turn. Either `clients` of them are under way at
 * once, each from its request until its outcome is there, or one is asked for `perSecond` times a second, whatever
 * becomes of those before.
 */
export type PartnerOrder = {
  url: string
  apiKeys: string[]
  /** What the references of this order's payments begin with: at most six letters and digits. */
  prefix: string
  count: number
  clients?: number
  perSecond?: number
}

/** What became of a payment at the partner; instants in ms since 1970, 0 for what did not happen. */
export type PartnerPayment = {
  reference: string
  /** When it was to be asked for. */
  dueMs: number
  answeredMs: number
  /** The HTTP status of the answer; 0 for none. */
  status: number
  deliveredMs: number
  /** How often its outcome was delivered. */
  times: number
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
