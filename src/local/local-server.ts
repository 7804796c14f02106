import type { Tethered } from './tether.ts'

/** A server of ours on 127.0.0.1: where it listens, and how it is ended. */
export type LocalServer = Tethered & { readonly url: string; readonly port: number }
