import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DeliveryDueSchema } from '../gen/mpesa/gateway/v1/delivery_due_pb.js'
import type { Endpoint } from '../values/endpoint.ts'

/** A delivery, where it goes, and how often the queue has been told of it. */
export type Due = Endpoint & { deliveryId: bigint; publishNumber: number }

/** The message's `Nats-Msg-Id`: JetStream swallows a repeated one, also after the first was acknowledged. */
export const messageIdOf = ({ deliveryId, publishNumber }: Due): string => `${deliveryId}:${publishNumber}`

export const encodeDue = (due: Due): Uint8Array => toBinary(DeliveryDueSchema, create(DeliveryDueSchema, due))

/** Null for bytes that are no message of ours. */
export const decodeDue = (bytes: Uint8Array): Due | null => {
  try {
    const { deliveryId, publishNumber, partnerId, host } = fromBinary(DeliveryDueSchema, bytes)
    return deliveryId > 0n ? { deliveryId, publishNumber, partnerId, host } : null
  } catch {
    return null
  }
}
