/** The certificates that the listeners of internal services present and require; PEM. */
export type ServerTls = {
  /** The certificate, with those between it and its authority after it. */
  cert: Buffer
  key: Buffer
  /** Who must have signed a caller's certificate; null: callers show none. */
  clientCa: Buffer | null
}

/**
 * The same as Node's servers take it. Without a certificate that `clientCa` signed, a caller gets no further than the
 * handshake, which may take `handshakeMs`.
 */
export const toTlsOptions = ({ cert, key, clientCa }: ServerTls, handshakeMs: number) => ({
  cert,
  key,
  handshakeTimeout: handshakeMs,
  ...(clientCa !== null && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
})
