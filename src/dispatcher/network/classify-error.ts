import type { ErrorClass } from '../../values/error-class.ts'

/** Thrown when an endpoint leads to an address that may not be connected to. */
export class BlockedAddress extends Error {
  override name = 'BlockedAddress'
  readonly code = 'BLOCKED_ADDRESS'
}

/** Thrown when an attempt took longer than it may. */
export class AttemptTimeout extends Error {
  override name = 'AttemptTimeout'
  readonly code = 'ATTEMPT_TIMEOUT'
}

/** Thrown when more comes for an answer than is read. */
export class AnswerTooLarge extends Error {
  override name = 'AnswerTooLarge'
  readonly code = 'ANSWER_TOO_LARGE'
}

/** Codes of our own, of Node (system, `dns`), and of undici. */
const CLASS_OF_CODE: Record<string, ErrorClass> = {
  BLOCKED_ADDRESS: 'blocked',
  ATTEMPT_TIMEOUT: 'timeout',
  ANSWER_TOO_LARGE: 'too_large',
  ENOTFOUND: 'dns',
  ENODATA: 'dns',
  ESERVFAIL: 'dns',
  EREFUSED: 'dns',
  EFORMERR: 'dns',
  EBADRESP: 'dns',
  EBADNAME: 'dns',
  ECANCELLED: 'dns',
  ETIMEOUT: 'dns',
  EAI_AGAIN: 'dns',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EACCES: 'unreachable',
  EPERM: 'unreachable',
  EINVAL: 'unreachable',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'reset',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'too_large',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
  EPROTO: 'tls',
}

/** What Node calls failures of a handshake or a certificate. */
const TLS_CODES =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|CRL_|INVALID_|ERROR_IN_C|PATH_LENGTH_|UNSPECIFIED)/

/** What Node says was being done when a name could not be resolved: a name server can refuse a connection too. */
const DNS_CALLS = /^(query|getaddrinfo)/

/** Names the stage at which an attempt without a status failed. What nothing else fits is `protocol`. */
export const classifyError = (error: unknown): ErrorClass => {
  if (error instanceof Error && 'syscall' in error && DNS_CALLS.test(String(error.syscall))) return 'dns'
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return CLASS_OF_CODE[code] ?? (TLS_CODES.test(code) ? 'tls' : 'protocol')
}

/** Names the failure that a status stands for; null for a 2xx. */
export const classifyStatus = (status: number): ErrorClass | null => {
  if (status >= 200 && status < 300) return null
  return status >= 300 && status < 400 ? 'redirect' : 'status'
}
