import { connect, NatsError } from 'nats'
import { connectionOptions } from './connect.ts'
import { type Due, decodeDue } from './delivery-stream.ts'
import { ANSWER_MS } from './keep-stream.ts'

/** So many messages are looked at. */
const MOST_MESSAGES = 10_000

/** JetStream's `err_code`s: there is no message of this number; there is no such stream. */
const NO_MESSAGE = 10_037
const NO_STREAM = 10_059

/** What JetStream has stored; `isWhole`: all of it was looked at. */
export type Stored = { due: Due[]; isWhole: boolean }

/**
 * Reads what a stream has stored, oldest first, and leaves it there; nothing when there is no such stream. Rejects when
 * NATS does not answer.
 */
export const listStored = async (options: { natsUrl: string; stream: string }): Promise<Stored> => {
  const once = {
    ...connectionOptions({ natsUrl: options.natsUrl, name: 'gateway' }),
    maxReconnectAttempts: 0,
  }
  const connection = await connect(once)
  try {
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_MS })
    const { state } = await manager.streams.info(options.stream)
    const due: Due[] = []
    let looked = 0
    for (let seq = state.first_seq; seq > 0 && seq <= state.last_seq && looked < MOST_MESSAGES; seq += 1) {
      looked += 1
      const message = await manager.streams.getMessage(options.stream, { seq }).catch(unless(NO_MESSAGE))
      for (const one of message ? decodeDue(message.data) : []) due.push(one)
    }
    return { due, isWhole: state.first_seq + looked > state.last_seq }
  } catch (error) {
    if (hasCode(error, NO_STREAM)) return { due: [], isWhole: true }
    throw error
  } finally {
    await connection.close()
  }
}

const hasCode = (error: unknown, code: number): boolean =>
  error instanceof NatsError && error.api_error?.err_code === code

const unless =
  (code: number) =>
  (error: unknown): null => {
    if (hasCode(error, code)) return null
    throw error
  }
