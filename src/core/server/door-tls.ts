/** What the doors of internal services show and ask for; PEM. */
export type DoorTls = {
  /** The certificate, with those between it and its authority after it. */
  cert: Buffer
  key: Buffer
  /** Who must have signed a caller's certificate; null: callers show none. */
  clientCa: Buffer | null
}
