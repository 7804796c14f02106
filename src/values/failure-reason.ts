import { FailureReason } from '../gen/mpesa/gateway/v1/payments_pb.js'

const nameOf = (reason: FailureReason): string | undefined => FailureReason[reason]?.toLowerCase()

/** The name of a reason as partners have it, `insufficient_funds`; `unknown` for one that this release does not know. */
export const toFailureReasonName = (reason: FailureReason): string =>
  (reason === FailureReason.UNSPECIFIED ? undefined : nameOf(reason)) ?? 'unknown'

/** All names, in the order of the contract. */
export const FAILURE_REASON_NAMES: readonly string[] = Object.values(FailureReason)
  .filter((value) => typeof value === 'number' && value !== FailureReason.UNSPECIFIED)
  .flatMap((value) => (typeof value === 'number' ? (nameOf(value) ?? []) : []))
