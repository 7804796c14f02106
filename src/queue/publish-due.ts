import { ErrorCode, NatsError } from 'nats'
import { subjectOf } from './delivery-stream.ts'
import { type Due, encodeDue, messageIdOf } from './due-message.ts'
import { ANSWER_MS, type KeptStream, QueueAway } from './keep-stream.ts'

/** Thrown when JetStream said no, with its reason: the stream is full, as a rule. The message is certainly not stored. */
export class QueueRefused extends Error {
  override name = 'QueueRefused'
}

/**
 * Says that a delivery is due; resolves when JetStream has stored it. A missing stream is made, and the message sent once
 * more. Rejects with `QueueAway` or `QueueRefused`, or when no answer came in time, and then nobody knows.
 */
export const publishDue = async (stream: KeptStream, due: Due): Promise<void> => {
  try {
    await publishOnce(stream, due)
  } catch (error) {
    if (isBroken(error)) stream.broken()
    if (!isMissing(error)) throw error
    stream.lost()
    await stream.ensure()
    await publishOnce(stream, due)
  }
}

const publishOnce = async (stream: KeptStream, due: Due): Promise<void> => {
  const client = stream.jetstream()
  // The client would keep the message until it is connected again, long after its caller gave it up.
  if (client === null) throw new QueueAway()
  await client
    .publish(subjectOf(stream.name), encodeDue(due), { msgID: messageIdOf(due), timeout: ANSWER_MS })
    .catch(refusal)
}

const refusal = (error: unknown): never => {
  if (error instanceof NatsError && error.api_error !== undefined)
    throw new QueueRefused(error.api_error.description, { cause: error })
  throw error
}

/** The server has the stream, but its files are gone: it will refuse everything until the stream is made anew. */
const isBroken = (error: unknown): boolean =>
  error instanceof QueueRefused && /no such file or directory|error opening msg block/i.test(error.message)

/** Nobody listens on the subject: the stream is gone, and so the message is certainly not stored. */
const isMissing = (error: unknown): boolean =>
  error instanceof NatsError && error.code === ErrorCode.NoResponders.toString()
