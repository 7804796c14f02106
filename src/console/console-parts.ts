import type { Registry } from 'prom-client'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { AddressList } from '../values/address-list.ts'
import type { ClientsOf } from './clients.ts'
import type { SignIns } from './sign-ins.ts'

/** What the console works with. */
export type ConsoleParts = {
  readonly clientsOf: ClientsOf
  readonly signIns: SignIns
  readonly log: Log
  /** Where cut connections are counted; left out: nowhere. */
  readonly registry?: Registry
  readonly clock: Clock
  /** Names beside this machine's own by which browsers may ask for it: the host of `CONSOLE_URL`. */
  readonly hosts: readonly string[]
  /** Whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: AddressList
  /** Whether pages can be shown: the database answers. */
  readonly isReady: () => Promise<boolean>
}
