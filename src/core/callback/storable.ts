import type { ReceivedCallback } from './callback.ts'

/** Text that Postgres can hold; HTTP carries no other, callers over gRPC may. */
export const toStorable = (text: string): string => text.replaceAll('\u0000', '\ufffd').toWellFormed()

/** Headers as they are stored, `[name, value]` in the order they came. */
export const renderHeaders = (callback: ReceivedCallback): [string, string][] =>
  callback.headers.map(({ name, value }) => [toStorable(name), toStorable(value)])
