import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DeliveryDueSchema } from '../gen/mpesa/gateway/v1/delivery_due_pb.js'

/** A delivery, and how often the queue has been told of it. */
export type DueNumber = { deliveryId: bigint; publishNumber: number }

/** The message's `Nats-Msg-Id`: JetStream swallows a repeated one, also after the first was acknowledged. */
export const messageIdOf = ({ deliveryId, publishNumber }: DueNumber): string =>
  `${deliveryId}:${publishNumber}`

export const encodeDue = (due: DueNumber): Uint8Array =>
  toBinary(DeliveryDueSchema, create(DeliveryDueSchema, due))

/** Null for bytes that are no message of ours. */
export const decodeDue = (bytes: Uint8Array): DueNumber | null => {
  try {
    const { deliveryId, publishNumber } = fromBinary(DeliveryDueSchema, bytes)
    return deliveryId > 0n ? { deliveryId, publishNumber } : null
  } catch {
    return null
  }
}
