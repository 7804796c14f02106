import { connect } from 'nats'

/** Whether a NATS server listens at the URL, takes us, and has JetStream enabled. */
export const hasJetStream = async (natsUrl: string): Promise<boolean> => {
  try {
    const connection = await connect({ servers: natsUrl, timeout: 2_000, reconnect: false })
    try {
      const manager = await connection.jetstreamManager({ timeout: 2_000 })
      await manager.getAccountInfo()
      return true
    } finally {
      await connection.close()
    }
  } catch {
    return false
  }
}
