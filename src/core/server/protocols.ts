import type { Health } from './health.ts'
import type { Reflection } from './reflection.ts'

/** What every server of gRPC tells of itself, beside the services. */
export type Protocols = {
  health: Health
  /** Null: the contract is not described to callers. */
  reflection: Reflection | null
}
