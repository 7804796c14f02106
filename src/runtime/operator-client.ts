import type { DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf'

/** The methods of a service as they are called in this process: messages in and out, as over gRPC. */
export type OperatorClient<Service extends DescService> = {
  readonly [Name in keyof Service['method']]: (
    request: MessageInitShape<Service['method'][Name]['input']>,
  ) => Promise<MessageShape<Service['method'][Name]['output']>>
}
